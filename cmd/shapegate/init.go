package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/plural"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/draft"
)

// initFlags are what is special to init.
type initFlags struct {
	tables      []string
	output      string
	databaseURL string
}

func newInitCommand(s *settings) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first shapes.yaml from your tables and SpiceDB's schema",
		Long: `Write a first shapes.yaml: a shape for each table that is named like one definition of
SpiceDB's schema, if that definition has one permission to read, such as view. Where
names leave a choice, the shape is commented out, with the reason, so that nothing is
public by accident. Read the file before you serve it.

The tables are those of the Postgres at DATABASE_URL. Without it, name them with
--table: Electric (ELECTRIC_URL) says which columns they have, and keeps an empty log
of each.

The file is the one that the other commands read (SHAPEGATE_SHAPES), or --output. A file
that is there is never overwritten.`,
		Example: `  DATABASE_URL=postgres://user:password@localhost:5432/app shapegate init
  shapegate init --table documents --table app.projects --output -`,
		Args: usage(cobra.NoArgs),
	}
	cmd.Flags().StringArrayVar(&f.tables, "table", nil, "table to write a shape for, as name or schema.name; any number of times (default: all of DATABASE_URL)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "file to write, - is the standard output (default: the file of SHAPEGATE_SHAPES)")
	cmd.Flags().StringVar(&f.databaseURL, "database-url", "", "URL of the Postgres whose tables Electric replicates (DATABASE_URL)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.databaseURL == "" {
			f.databaseURL = s.DatabaseURL.reveal()
		}
		if f.output == "" {
			f.output = s.ShapesFile
		}
		if err := isFree(f.output); err != nil {
			return err
		}
		return withSpiceDB(s, func(cmd *cobra.Command, client *spicedb.Client, _ []string) error {
			return writeDraft(cmd, s, client, f)
		})(cmd, args)
	}
	return cmd
}

// writeDraft reads the tables and the schema, and writes the file.
func writeDraft(cmd *cobra.Command, s *settings, client *spicedb.Client, f initFlags) error {
	tables, err := readTables(cmd.Context(), s, f)
	if err != nil {
		return err
	}
	source, err := readSource(cmd, client)
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	source.Tables = tables
	d := draft.New(source)
	if err := writeNew(cmd, f.output, d.Text); err != nil {
		return err
	}
	for _, open := range d.Open {
		cmd.PrintErrf("to decide: %s: %s\n", open.Table, open.Reason)
	}
	report, wrote := cmd.Println, "wrote "+f.output
	if f.output == "-" {
		report, wrote = cmd.PrintErrln, "wrote a draft"
	}
	if len(d.Shapes) == 0 {
		report(wrote + ", in which no shape is decided: each is commented out, with the reason")
		return &exitError{code: exitNo}
	}
	report(wrote+", with "+plural.Count(len(d.Shapes), "shape")+":", strings.Join(d.Shapes, ", "))
	return nil
}

// readSource reads from SpiceDB what a draft is made from.
func readSource(cmd *cobra.Command, client *spicedb.Client) (draft.Source, error) {
	var source draft.Source
	definitions, err := gateway.ReadDefinitions(cmd.Context(), client)
	if err != nil {
		return source, err
	}
	source.Definitions = slices.DeleteFunc(definitions, func(d schema.Definition) bool { return d.Name == spicedb.HeartbeatDefinition })
	source.Parameters = make(map[schema.Permission][]string)
	for _, p := range draft.ReadPermissions(source.Definitions) {
		if source.Parameters[p], err = client.CaveatParameters(cmd.Context(), p.Definition, p.Name); err != nil {
			return source, err
		}
	}
	return source, nil
}

// isFree reports a file that is there, before anything is asked for it.
func isFree(path string) error {
	if path == "-" {
		return nil
	}
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return isThere(path)
}

func isThere(path string) error {
	return fmt.Errorf("%s is there already, and stays as it is: name another file with --output, where - is the standard output", path)
}

// writeNew writes a file that is not there yet, and the folders that it is to be in.
func writeNew(cmd *cobra.Command, path, text string) error {
	if path == "-" {
		_, err := fmt.Fprint(cmd.OutOrStdout(), text)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the operator names the folder
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // the operator names the file, which has no secrets
	if errors.Is(err, fs.ErrExist) {
		return isThere(path)
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}
