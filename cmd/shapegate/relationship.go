package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/plural"
)

// batch is how many relationships are written at once. SpiceDB takes 1,000 by
// default (--write-relationships-max-updates-per-call).
const batch = 1000

func newRelationshipCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "relationship",
		Short: "Write, delete or read relationships in SpiceDB",
		Args:  usage(cobra.NoArgs),
		RunE:  needsSubcommand,
	}
	cmd.AddCommand(
		newWriteRelationshipsCommand(s, "touch", "Write relationships, whether they exist or not", spicedb.Touch, "wrote"),
		newWriteRelationshipsCommand(s, "delete", "Delete relationships, if they exist", spicedb.Delete, "deleted"),
		&cobra.Command{
			Use:   "read FILTER",
			Short: "Print the relationships that a filter selects",
			Long: `Print the relationships that a filter selects, in no order. A filter is the
beginning of a relationship, of which parts may be left out:

  document  document:1  document:1#viewer  document#viewer  document@user:alice`,
			Example: "  shapegate relationship read document@user:alice",
			Args:    usage(cobra.ExactArgs(1)),
			RunE:    withSpiceDB(s, readRelationships),
		},
	)
	return cmd
}

func newWriteRelationshipsCommand(s *settings, name, short string, operation spicedb.Operation, done string) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   name + " [RELATIONSHIP...]",
		Short: short,
		Long: short + `.

A relationship is written as SpiceDB's tools do:

  document:1#viewer@user:alice
  document:1#viewer@group:staff#member[caveat:{"key":1}][expiration:2030-01-01T00:00:00Z]

They are the arguments, or the lines of a file, or those of the standard input.
Empty lines, and those that begin with // or #, are skipped. Up to 1,000 are written in
one transaction; more in several, one after the other.`,
		RunE: withSpiceDB(s, func(cmd *cobra.Command, client *spicedb.Client, args []string) error {
			relationships, err := gatherRelationships(cmd, file, args)
			if err != nil {
				return err
			}
			var token string
			for chunk := range slices.Chunk(relationships, batch) {
				updates := make([]spicedb.Update, len(chunk))
				for i, r := range chunk {
					updates[i] = spicedb.Update{Operation: operation, Relationship: r}
				}
				if token, err = client.WriteRelationships(cmd.Context(), updates...); err != nil {
					return err
				}
			}
			cmd.Printf("%s %s, ZedToken %s\n", done, plural.Count(len(relationships), "relationship"), token)
			return nil
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "file of relationships, one per line (- is the standard input)")
	return cmd
}

// gatherRelationships reads all of the input before any of it is written.
func gatherRelationships(cmd *cobra.Command, file string, args []string) ([]spicedb.Relationship, error) {
	name, text := "argument", strings.Join(args, "\n")
	switch {
	case len(args) > 0 && file != "":
		return nil, &exitError{exitNoAnswer, errors.New("relationships are arguments or in a file, not both")}
	case len(args) == 0:
		var data []byte
		var err error
		if name, data, err = readInput(cmd, cmp.Or(file, "-")); err != nil {
			return nil, err
		}
		text = string(data)
	}
	lines, err := spicedb.ParseLines(name, text)
	if err == nil && len(lines) == 0 {
		return nil, errors.New("there are no relationships in the input")
	}
	relationships := make([]spicedb.Relationship, len(lines))
	for i, line := range lines {
		relationships[i] = line.Relationship
	}
	return relationships, err
}

func readRelationships(cmd *cobra.Command, client *spicedb.Client, args []string) error {
	filter, err := parseFilter(args[0])
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	for r, err := range client.ReadRelationships(cmd.Context(), filter) {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), r); err != nil {
			return err
		}
	}
	return nil
}

// parseFilter reads type[:id][#relation][@type[:id]].
func parseFilter(text string) (spicedb.RelationshipFilter, error) {
	var filter spicedb.RelationshipFilter
	rest, subject, hasSubject := strings.Cut(text, "@")
	rest, relation, hasRelation := strings.Cut(rest, "#")
	err := parsePart(rest, &filter.ResourceType, &filter.ResourceID)
	if hasSubject {
		err = errors.Join(err, parsePart(subject, &filter.SubjectType, &filter.SubjectID))
	}
	if filter.Relation = relation; err != nil || hasRelation && relation == "" {
		return filter, fmt.Errorf("%q is not of the form type[:id][#relation][@type[:id]]", text)
	}
	return filter, nil
}

// parsePart reads type[:id].
func parsePart(text string, typ, id *string) error {
	name, object, hasID := strings.Cut(text, ":")
	if !hasID {
		object = "any" // only the type is to be checked
	}
	ref, err := authz.NewObjectRef(name, object)
	if err != nil {
		return err
	}
	if *typ = ref.Type; hasID {
		*id = ref.ID
	}
	return nil
}
