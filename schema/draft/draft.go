// Package draft writes a first shapes.yaml from tables and from the definitions of a
// SpiceDB schema: the pure part of "shapegate init".
//
// A shape is active only where names leave no choice: the table is named like one
// definition, that definition has one permission to read, and the primary key can hold
// object ids. Every other shape is commented out, with the reason, so that nothing is
// public by accident. Columns that are named like secrets are left out.
//
// Equal sources give equal texts. The package asks nobody: the command reads the tables
// and the definitions.
package draft

import (
	"cmp"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/schema"
)

// Source is what a draft is made from.
type Source struct {
	Tables      []Table
	Definitions []schema.Definition

	// Parameters are the names of the parameters of the caveats that a permission may come
	// to, for each of ReadPermissions.
	Parameters map[schema.Permission][]string
}

// Table is one table that may be synced.
type Table struct {
	schema.Table
	Columns []Column // in the order in which a shape is to name them
	Key     []string // the primary key's columns; none: the table has no key
}

// Column is one column of a table.
type Column struct {
	schema.ColumnDescription
	Generated bool // Postgres computes it; before 18 it does not replicate it
}

// Draft is the text of a shapes.yaml, and what is in it.
type Draft struct {
	Text   string
	Shapes []string // the names of the active shapes
	Open   []Open   // the tables that have none
}

// Open is a table for which no shape could be decided.
type Open struct {
	Table  schema.Table
	Reason string
}

// New writes a draft.
func New(s Source) Draft {
	tables := slices.SortedFunc(slices.Values(s.Tables), func(a, b Table) int {
		return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name))
	})
	d := newDecider(tables, s)
	var draft Draft
	var text page
	text.add(heading)
	for i := range tables {
		shape := d.decide(&tables[i])
		if shape.open == "" {
			draft.Shapes = append(draft.Shapes, shape.name)
		} else {
			draft.Open = append(draft.Open, Open{tables[i].Table, shape.open})
		}
		text.shape(shape)
		for _, scoped := range d.scoped(&tables[i]) {
			text.shape(scoped)
		}
	}
	text.unused(d.unused())
	draft.Text = text.String()
	return draft
}
