package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/plural"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

func newCheckConfigCommand(s *settings) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Check the shape definitions, for themselves, against SpiceDB's schema and Electric's tables",
		Long: `Check the shape definitions: for themselves, against SpiceDB's schema, and against
Electric's tables where ELECTRIC_URL is set. What is wrong is printed with its
place in the file. What would work better otherwise is a hint, and does not change
the exit code: a SpiceDB that is too old, a schema without the heartbeat.

Electric keeps a log for each table that it is asked about, as it does when shapes
are served.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			shapes, err := loadShapes(s.ShapesFile)
			if err != nil {
				return reject(cmd, err)
			}
			var left []string // unchecked
			if offline {
				left = []string{"the permissions (SpiceDB's schema)", "the tables and columns (Electric)"}
			} else if left, err = compareAll(cmd, s, shapes, args); err != nil {
				return err
			}
			cmd.Println("ok:", plural.Count(len(shapes), "shape"))
			if len(left) > 0 {
				cmd.Println("not checked:", strings.Join(left, ", "))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "ask neither SpiceDB nor Electric")
	return cmd
}

// compareAll compares the shapes with what they name elsewhere. It returns what was not
// checked.
func compareAll(cmd *cobra.Command, s *settings, shapes []schema.Shape, args []string) ([]string, error) {
	compare := func(cmd *cobra.Command, client *spicedb.Client, _ []string) error {
		if err := compareShapes(cmd, client, shapes); err != nil {
			return err
		}
		return examineSpiceDB(cmd, client)
	}
	if err := withSpiceDB(s, compare)(cmd, args); err != nil {
		return nil, err
	}
	at := s.electricConfig()
	if at.URL == "" {
		return []string{"the tables and columns (ELECTRIC_URL is not set)"}, nil
	}
	return nil, compareTables(cmd, at, shapes)
}

// tablesTime bounds the questions to Electric, which may have to create a log for
// each shape.
const tablesTime = 30 * time.Second

// compareTables compares the shapes with Electric's tables.
func compareTables(cmd *cobra.Command, at electric.Config, shapes []schema.Shape) error {
	client, err := electric.NewClient(at)
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), tablesTime)
	defer cancel()
	err = gateway.CheckTables(ctx, client, shapes)
	var finding schema.Finding
	switch {
	case errors.As(err, &finding):
		return reject(cmd, err)
	case err != nil:
		return &exitError{exitNoAnswer, fmt.Errorf("ask Electric (ELECTRIC_URL) about the tables: %w", err)}
	}
	return nil
}

// reject prints what is wrong as it is, each on a line that begins with its
// place, so that editors can follow it.
func reject(cmd *cobra.Command, err error) error {
	cmd.PrintErrln(err)
	return &exitError{code: exitNo}
}

func compareShapes(cmd *cobra.Command, client *spicedb.Client, shapes []schema.Shape) error {
	found, err := client.Reflect(cmd.Context())
	if authz.KindOf(err) == authz.Unavailable {
		return &exitError{exitNoAnswer, fmt.Errorf("the shape definitions are good by themselves, and SpiceDB does not answer (--offline leaves it out): %w", err)}
	}
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	definitions := make([]schema.Definition, len(found))
	for i, d := range found {
		definitions[i] = schema.Definition(d)
	}
	if err := schema.Validate(shapes, definitions); err != nil {
		return reject(cmd, err)
	}
	parameters := make(map[schema.Permission][]string)
	for _, p := range schema.ContextPermissions(shapes) {
		if parameters[p], err = client.CaveatParameters(cmd.Context(), p.Definition, p.Name); err != nil {
			return &exitError{exitNoAnswer, err}
		}
	}
	if err := schema.ValidateContext(shapes, parameters); err != nil {
		return reject(cmd, err)
	}
	for _, hint := range schema.Hints(shapes, definitions) {
		cmd.PrintErrln("hint:", hint)
	}
	return nil
}
