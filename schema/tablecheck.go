package schema

import (
	"fmt"
	"slices"
	"strings"
)

// TableDescription is a table as Electric describes it in its electric-schema header.
type TableDescription struct {
	Columns []ColumnDescription
	Key     []string // the primary key's columns
}

// ColumnDescription is one column of a table.
type ColumnDescription struct {
	Name string
	Type string // Postgres' name of the type: uuid, int4, text; of an array: that of its elements
	Dims int    // above 0: an array
}

// Finding is one thing that keeps a shape from being served, for its operator.
type Finding struct {
	Shape  string
	Column string // "" if it is not about one
	Reason string // what is wrong
	Remedy string // what to do
	at     *Error
}

// Error returns the finding in the form of an Error: with the place in the file, if
// the shape was read from one.
func (f Finding) Error() string {
	if f.at == nil {
		return fmt.Sprintf("shapes.%s: %s: %s", f.Shape, f.Reason, f.Remedy)
	}
	return f.at.Error()
}

// At returns the key of the shape's definition that the finding is about, as in
// columns[1]; "" if it is not known.
func (f Finding) At() string {
	if f.at == nil {
		return ""
	}
	return strings.TrimPrefix(f.at.Key, "shapes."+f.Shape+".")
}

func (s Shape) finding(key, column, reason, remedy string) Finding {
	e := errorf(s.origin, "shapes."+s.Name+"."+key, "%s; %s", reason, remedy)
	return Finding{Shape: s.Name, Column: column, Reason: reason, Remedy: remedy, at: e}
}

// idTypes are the types whose values have one spelling, in which they are object
// ids. A domain over one of them is none: Electric 1.7.12 has no operator that compares
// values of a domain, so it refuses every request for rows by their ids.
var idTypes = []string{"uuid", "int2", "int4", "int8", "text", "varchar"}

// HoldsIDs reports whether a column of the type can be the column of a filter.
func HoldsIDs(typ string) bool { return slices.Contains(idTypes, typ) }

// ValidateTable compares a shape with its table. table is nil if there is no such
// table. That a column is generated Electric says itself, see Refused.
func (s Shape) ValidateTable(table *TableDescription) []Finding {
	if table == nil {
		return []Finding{s.noTable()}
	}
	var findings []Finding
	names := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		names[i] = c.Name
	}
	for i, name := range s.Columns {
		key := fmt.Sprintf("columns[%d]", i)
		if table.column(name) == nil {
			findings = append(findings, s.finding(key, name,
				fmt.Sprintf("the table %s has no column %q%s", s.Table, name, didYouMean(name, names)),
				"name a column that there is"))
		}
	}
	for _, name := range table.Key {
		if !slices.Contains(s.Columns, name) {
			findings = append(findings, s.missingKey(name))
		}
	}
	for i, f := range s.Authorize.Filter {
		if c := table.column(f.Column); c != nil && !c.holdsIDs() {
			findings = append(findings, s.finding(fmt.Sprintf("authorize.filter[%d].column", i), f.Column,
				fmt.Sprintf("the column %q is of type %s, which cannot hold object ids", f.Column, c.typeName()),
				"use a column of type "+strings.Join(idTypes, ", ")+", and not of a domain over one: Electric does not compare its values"))
		}
	}
	return findings
}

func (t *TableDescription) column(name string) *ColumnDescription {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

func (c *ColumnDescription) holdsIDs() bool { return c.Dims == 0 && HoldsIDs(c.Type) }

func (c *ColumnDescription) typeName() string { return c.Type + strings.Repeat("[]", c.Dims) }

func (s Shape) noTable() Finding {
	return s.finding("table", "", fmt.Sprintf("there is no table %s", s.Table),
		"name the table as it stands in the catalog, with its schema if that is not public, and let Electric's role read it")
}

func (s Shape) missingKey(column string) Finding {
	return s.finding("columns", column, fmt.Sprintf("the primary key's column %q is missing from the columns", column),
		"add it: Electric identifies rows by their primary key")
}

func (s Shape) generated(key, column string) Finding {
	return s.finding(key, column, fmt.Sprintf("the column %q is generated", column),
		"leave it out: Postgres before 18 does not replicate generated columns")
}

// String returns the table as it is written in SQL.
func (t Table) String() string { return QuoteIdentifier(t.Schema) + "." + QuoteIdentifier(t.Name) }

// QuoteIdentifier returns a name of the catalog as it is written in shapes.yaml and in
// SQL: with quotes only where it needs them. A name that is a keyword of SQL gets none.
func QuoteIdentifier(name string) string {
	if plainIdentifier.MatchString(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// What Electric 1.7.12 says when it refuses a shape, up to the names that follow.
const (
	electricNoTable     = "does not exist"
	electricMissingKey  = "must include all primary key columns, missing: "
	electricNoColumns   = "not found on the table: "
	electricIsGenerated = "are generated and cannot be included in the shape: "
)

// Refused turns what Electric says when it refuses a log of the shape into findings:
// the member errors of its answer, which has a list of texts for each key of the
// request. Of a where nothing is passed on: the text may quote values of a client.
func (s Shape) Refused(errors map[string][]string) []Finding {
	var findings []Finding
	for _, field := range []string{"table", "columns", "queryable_columns", "where", "params"} {
		for _, text := range errors[field] {
			for _, f := range s.refused(field, text) {
				if !slices.ContainsFunc(findings, func(g Finding) bool { return g.Reason == f.Reason }) {
					findings = append(findings, f)
				}
			}
		}
	}
	return findings
}

func (s Shape) refused(field, text string) []Finding {
	if field == "table" && strings.Contains(text, electricNoTable) {
		return []Finding{s.noTable()}
	}
	for _, known := range []struct {
		text string
		find func(column string) Finding
	}{
		{electricMissingKey, s.missingKey},
		{electricNoColumns, func(column string) Finding {
			if !slices.Contains(s.Columns, column) && s.Where != nil && slices.Contains(s.Where.Columns(), column) {
				return s.noWhereColumn(column)
			}
			return s.finding(s.columnKey(column), column, fmt.Sprintf("the table %s has no column %q", s.Table, column), "name a column that there is")
		}},
		{electricIsGenerated, func(column string) Finding { return s.generated(s.columnKey(column), column) }},
	} {
		if _, names, found := strings.Cut(text, known.text); found {
			names, _, _ = strings.Cut(names, ". You can exclude them")
			var findings []Finding
			for name := range strings.SplitSeq(names, ", ") {
				findings = append(findings, known.find(name))
			}
			return findings
		}
	}
	key := field
	switch field {
	case "where", "params":
		return []Finding{s.RefusedWhere("")}
	case "queryable_columns":
		key = "columns"
	}
	return []Finding{s.finding(key, "", "Electric refuses the shape: "+text, "change the definition, or the table")}
}

func (s Shape) columnKey(column string) string {
	if i := slices.Index(s.Columns, column); i >= 0 {
		return fmt.Sprintf("columns[%d]", i)
	}
	return "columns"
}
