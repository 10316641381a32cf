package proxy

import (
	"sync/atomic"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/rowfilter"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// table is what Electric last said of the columns of a shape's table, and what follows from
// it. A migration changes it while we run.
type table struct {
	def  *schema.Shape
	seen atomic.Pointer[electric.Schema] // nil until Electric was first asked

	// rules and named are made once for each thing that was seen.
	rules atomic.Pointer[tableRule]
	named atomic.Pointer[namedTable]
}

// tableRule is a rule for the rows of a table as it was.
type tableRule struct {
	table *electric.Schema
	rule  rowfilter.Rule
}

// namedTable is what clients may name of a table as it was.
type namedTable struct {
	table *electric.Schema
	named subset.Table
}

// learn keeps what an answer said of the table.
func (t *table) learn(said *electric.Schema) {
	if said == nil {
		return
	}
	if old := t.seen.Load(); old == nil || old.Header != said.Header {
		t.seen.Store(said)
	}
}

// isKnown reports whether Electric has said what the table looks like.
func (t *table) isKnown() bool { return t.seen.Load() != nil }

// typeOf returns Postgres' name of the type of a column, empty if there is no such column.
// The table must be known.
func (t *table) typeOf(column string) string { return t.seen.Load().Columns[column].Type }

// needsFullReplica reports whether a change has to carry the whole row, so that its
// visibility can be decided: where a filter's column is not of the primary key, it
// can change, and most changes do not mention it.
func (t *table) needsFullReplica() bool {
	seen := t.seen.Load()
	if seen == nil {
		return false
	}
	for _, f := range t.def.Authorize.Filter {
		if !seen.InKey(f.Column) {
			return true
		}
	}
	return false
}

// rule returns what grants mean for the rows of the table.
func (t *table) rule() *rowfilter.Rule {
	seen := t.seen.Load()
	if made := t.rules.Load(); made != nil && made.table == seen {
		return &made.rule
	}
	made := &tableRule{table: seen, rule: rowfilter.Rule{Schema: t.def.Table.Schema, Table: t.def.Table.Name}}
	for _, f := range t.def.Authorize.Filter {
		made.rule.Filters = append(made.rule.Filters, f.Column)
	}
	if seen != nil {
		made.rule.Key = seen.Key
	}
	t.rules.Store(made)
	return &made.rule
}

// forClients is what a client may name in a subset: the columns of the shape, with the types
// that the table has. The table must be known.
func (t *table) forClients() *subset.Table {
	seen := t.seen.Load()
	if made := t.named.Load(); made != nil && made.table == seen {
		return &made.named
	}
	columns := make(subset.Columns, len(t.def.Columns))
	for _, name := range t.def.Columns {
		if c, ok := seen.Columns[name]; ok {
			columns[name] = subset.Column{Type: c.Type, Dims: c.Dims}
		}
	}
	made := &namedTable{seen, subset.Table{Schema: t.def.Table.Schema, Name: t.def.Table.Name, Columns: columns}}
	t.named.Store(made)
	return &made.named
}
