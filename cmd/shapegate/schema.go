package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
)

func newSchemaCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Read or write SpiceDB's schema",
		Args:  usage(cobra.NoArgs),
		RunE:  needsSubcommand,
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "read",
			Short: "Print the schema",
			Args:  usage(cobra.NoArgs),
			RunE: withSpiceDB(s, func(cmd *cobra.Command, client *spicedb.Client, _ []string) error {
				text, err := client.ReadSchema(cmd.Context())
				if err != nil {
					return err
				}
				if text == "" {
					cmd.PrintErrln("shapegate: there is no schema yet")
					return nil
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
				return err
			}),
		},
		&cobra.Command{
			Use:     "write FILE",
			Short:   "Replace the schema by that of a file (- is the standard input)",
			Example: "  shapegate schema write schema.zed",
			Args:    usage(cobra.ExactArgs(1)),
			RunE: withSpiceDB(s, func(cmd *cobra.Command, client *spicedb.Client, args []string) error {
				name, text, err := readInput(cmd, args[0])
				if err != nil {
					return err
				}
				token, err := client.WriteSchema(cmd.Context(), string(text))
				if authz.KindOf(err) == authz.Invalid { // SpiceDB refuses the text
					return reject(cmd, errors.New(spicedb.ExplainSchema(err, name, string(text))))
				}
				if err != nil {
					return err
				}
				cmd.Println("wrote the schema, ZedToken", token)
				return nil
			}),
		},
	)
	return cmd
}

// readInput reads a file, or the standard input if it is called "-". The name
// is for errors about its contents.
func readInput(cmd *cobra.Command, file string) (name string, data []byte, err error) {
	if file == "-" {
		data, err = io.ReadAll(cmd.InOrStdin())
		return "standard input", data, err
	}
	data, err = os.ReadFile(file) //nolint:gosec // the user of the command names the file
	return file, data, err
}
