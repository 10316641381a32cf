package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/proxy/gateway"
)

func newShapesCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "shapes --subject SUBJECT",
		Short: "Say what somebody may sync",
		Long: `Say what somebody may sync: of each shape whether the gate holds, whether the person
sees every row, and otherwise how many ids each filter reaches, and how long SpiceDB
took to look them up. SpiceDB is asked at full consistency; Electric is not asked.`,
		Example: `  shapegate shapes --subject user:bob
  shapegate shapes --subject user:alice --claim clearance=2 --param project=atlas --json`,
		Args: usage(cobra.NoArgs),
	}
	reader := bindReader(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = withReader(s, reader, func(ctx context.Context, out io.Writer, q question) error {
		all, err := gateway.NewExplainer(q.shapes, q.spicedb, nil).Shapes(ctx, q.who)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(out, all)
		}
		for i := range all {
			if _, err := io.WriteString(out, all[i].String()); err != nil {
				return err
			}
		}
		return nil
	})
	return cmd
}
