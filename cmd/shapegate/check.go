package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
)

func newCheckCommand(s *settings) *cobra.Command {
	var caveatContext string
	cmd := &cobra.Command{
		Use:   "check SUBJECT PERMISSION RESOURCE",
		Short: "Ask whether a subject holds a permission on a resource",
		Long: `Ask whether a subject holds a permission on a resource, at full consistency. It
prints "permitted" and exits with 0, or "denied" and exits with 1. A condition
that cannot be evaluated, because context is missing, is a denial.`,
		Example: `  shapegate check user:alice view document:1
  shapegate check user:alice view document:1 --context '{"clearance": 2}'`,
		Args: usage(cobra.ExactArgs(3)),
		RunE: withSpiceDB(s, func(cmd *cobra.Command, client *spicedb.Client, args []string) error {
			permitted, err := check(cmd, client, args, caveatContext)
			switch {
			case err != nil:
				return &exitError{exitNoAnswer, err}
			case !permitted:
				cmd.Println("denied")
				return &exitError{code: exitNo}
			}
			cmd.Println("permitted")
			return nil
		}),
	}
	cmd.Flags().StringVar(&caveatContext, "context", "", "caveat context, a JSON object")
	return cmd
}

func check(cmd *cobra.Command, client *spicedb.Client, args []string, caveatContext string) (bool, error) {
	subject, err := authz.ParseObjectRef(args[0])
	if err != nil {
		return false, fmt.Errorf("subject: %w", err)
	}
	resource, err := authz.ParseObjectRef(args[2])
	if err != nil {
		return false, fmt.Errorf("resource: %w", err)
	}
	var values map[string]any
	if caveatContext != "" {
		if err := json.Unmarshal([]byte(caveatContext), &values); err != nil {
			return false, errors.New("--context is not a JSON object")
		}
	}
	return client.CheckPermission(cmd.Context(), authz.Subject{ObjectRef: subject}, resource, args[1], values)
}
