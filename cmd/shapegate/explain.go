package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
)

func newExplainCommand(s *settings) *cobra.Command {
	var shape string
	var id []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain --subject SUBJECT --shape SHAPE --id ID",
		Short: "Say whether somebody sees a row of a shape, or may do something with an object, and why",
		Long: `Say whether somebody sees a row of a shape, and why: the gate, the filter with the
path of relationships that grants or does not, caveats, the shape's where, and
whether there is such a row. It exits with 0 if the row is visible, with 1 if it
is not, which a row that does not exist never is, and with 2 if that could not be
found out.

With the name of a collection of grants it says of each permission whether it is
held on the object, and why. It exits with 0 if any of them is: then there is a row.

SpiceDB is asked at full consistency, without its cache. Electric is asked for the
row by its key; for a row that does not meet the shape's where, in the whole table,
of which Electric then keeps an empty log.`,
		Example: `  shapegate explain --subject user:bob --shape documents --id d0c00000-0000-4000-8000-000000000004
  shapegate explain --subject user:bob --shape project_documents --param project=atlas --id d0c0… --json
  shapegate explain --subject user:bob --shape document_actions --id d0c00000-0000-4000-8000-000000000004`,
		Args: usage(cobra.NoArgs),
	}
	reader := bindReader(cmd)
	cmd.Flags().StringVar(&shape, "shape", "", "name of the shape, or of the collection of grants")
	cmd.Flags().StringArrayVar(&id, "id", nil, "value of the row's primary key, or id of the object; of several columns: once for each, in the key's order")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = withReader(s, reader, func(ctx context.Context, out io.Writer, q question) error {
		upstream, err := electric.NewClient(s.electricConfig())
		if err != nil {
			return err
		}
		e, err := gateway.NewExplainer(q.shapes, q.spicedb, upstream).Explain(ctx, q.who, shape, id)
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
	}, "ELECTRIC_URL")
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
