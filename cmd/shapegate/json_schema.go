package main

import (
	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/schema"
)

func newJSONSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "json-schema",
		Short: "Print the JSON Schema of shapes.yaml, for editors",
		Long: `Print the JSON Schema of shapes.yaml. Editors complete and check a file with it if the
file begins with a line that names it. In VS Code this needs the extension YAML of Red
Hat; JetBrains' editors have it.`,
		Example: `  shapegate json-schema > shapes.schema.json    # beside shapes.yaml, whose first line is then:
  # yaml-language-server: $schema=shapes.schema.json`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(schema.JSONSchema())
			return err
		},
	}
}
