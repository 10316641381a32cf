package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

func newExplainCommand(s *settings) *cobra.Command {
	var shape string
	var id []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain --subject SUBJECT --shape SHAPE --id ID",
		Short: "Say whether somebody sees a row of a shape, and why",
		Long: `Say whether somebody sees a row of a shape, and why: the gate, the filter with the
path of relationships that grants or does not, caveats, the shape's where, and
whether there is such a row. It exits with 0 if the row is visible, with 1 if it
is not, and with 2 if that could not be found out.

SpiceDB is asked at full consistency, without its cache. Electric is asked for the
row by its key; for a row that does not meet the shape's where, in the whole table,
of which Electric then keeps an empty log.`,
		Example: `  shapegate explain --subject user:bob --shape documents --id d0c00000-0000-4000-8000-000000000004
  shapegate explain --subject user:bob --shape project_documents --param project=atlas --id d0c0… --json`,
		Args: usage(cobra.NoArgs),
	}
	reader := bindReader(cmd)
	cmd.Flags().StringVar(&shape, "shape", "", "name of the shape")
	cmd.Flags().StringArrayVar(&id, "id", nil, "value of the row's primary key; of several columns: once for each, in the key's order")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = withExplainer(s, reader, func(ctx context.Context, out io.Writer, x *gateway.Explainer, who gateway.Reader) error {
		e, err := x.Explain(ctx, who, shape, id)
		if err != nil {
			return err
		}
		if err := printExplanation(out, e, asJSON); err != nil {
			return err
		}
		if !e.Visible {
			return &exitError{code: exitNo}
		}
		return nil
	})
	return cmd
}

func printExplanation(out io.Writer, e *explain.Explanation, asJSON bool) error {
	if asJSON {
		return printJSON(out, e)
	}
	_, err := io.WriteString(out, e.String())
	return err
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

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

// withExplainer makes a command's body of one that explains. An error that is no exitError
// means that there is no answer.
func withExplainer(s *settings, reader *readerFlags, body func(context.Context, io.Writer, *gateway.Explainer, gateway.Reader) error) func(*cobra.Command, []string) error {
	ask := func(cmd *cobra.Command, client *spicedb.Client, _ []string) error {
		who, err := gateway.ParseReader(reader.subject, *reader.claims, *reader.params, reader.ip)
		if err != nil {
			return err
		}
		shapes, err := schema.Load(s.ShapesFile)
		if err != nil {
			return err
		}
		upstream, err := electric.NewClient(s.electricConfig())
		if err != nil {
			return err
		}
		return body(cmd.Context(), cmd.OutOrStdout(), gateway.NewExplainer(shapes, client, upstream), who)
	}
	return func(cmd *cobra.Command, args []string) error {
		if err := s.require("ELECTRIC_URL", "SPICEDB_ENDPOINT", "SPICEDB_TOKEN"); err != nil {
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
