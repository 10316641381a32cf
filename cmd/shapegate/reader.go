package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

// readerFlags say who reads.
type readerFlags struct {
	subject, ip    string
	claims, params *[]string
}

func bindReader(cmd *cobra.Command) *readerFlags {
	f := &readerFlags{
		claims: bindPairs(cmd.Flags(), "claim", claimUsage),
		params: bindPairs(cmd.Flags(), "param", "value of a param of the shape, as name=value"),
	}
	cmd.Flags().StringVar(&f.subject, "subject", "", "who reads, as in user:bob")
	cmd.Flags().StringVar(&f.ip, "ip", "", "address that the request comes from, for caveats that ask for it")
	return f
}

// question is what a command that speaks of one reader needs.
type question struct {
	who     gateway.Reader
	shapes  schema.File
	spicedb *spicedb.Client
}

// withReader makes a command's body of one that speaks of one reader. An error that is no
// exitError means that there is no answer. needed are settings besides SpiceDB's.
func withReader(s *settings, reader *readerFlags, body func(context.Context, io.Writer, question) error, needed ...string) func(*cobra.Command, []string) error {
	ask := func(cmd *cobra.Command, client *spicedb.Client, _ []string) error {
		who, err := gateway.ParseReader(reader.subject, *reader.claims, *reader.params, reader.ip)
		if err != nil {
			return err
		}
		shapes, err := loadShapes(s.ShapesFile)
		if err != nil {
			return err
		}
		return body(cmd.Context(), cmd.OutOrStdout(), question{who, shapes, client})
	}
	return func(cmd *cobra.Command, args []string) error {
		// Of a command that asks about a row, the row and its shape are wanted as well.
		for _, name := range []string{"subject", "shape", "id"} {
			if f := cmd.Flags().Lookup(name); f != nil && !f.Changed {
				return wrongUsage(cmd, args)
			}
		}
		if err := s.require(append(needed, "SPICEDB_ENDPOINT", "SPICEDB_TOKEN")...); err != nil {
			return err
		}
		err := withSpiceDB(s, ask)(cmd, args)
		exit := new(exitError)
		if err == nil || errors.As(err, &exit) {
			return err
		}
		return &exitError{exitNoAnswer, plain(err)}
	}
}

// plain is an error for the user of the command: of a question that cannot be asked, the
// reason alone; of Electric's being away, the setting to look at.
func plain(err error) error {
	var invalid *authz.Error
	var away *electric.UnavailableError
	switch {
	case gateway.IsInvalid(err) && errors.As(err, &invalid) && invalid.Err != nil:
		return invalid.Err
	case errors.As(err, &away):
		return fmt.Errorf("ask Electric (ELECTRIC_URL): %w", err)
	}
	return err
}
