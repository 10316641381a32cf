package electrictest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// definition is what a request says a shape is: a table, a main where, columns,
// and how its log is written.
type definition struct {
	table       *table
	where       *condition
	selected    []int // the columns that are sent, by name
	queryable   []int // the columns that a subset may name; nil for all
	full        bool  // replica=full
	changesOnly bool  // log=changes_only

	// identity is equal for two definitions of one shape. As in Electric, it
	// leaves queryable columns out, so long as they select the same columns.
	identity string

	names    []string // of selected: "name": as JSON
	relation string   // ["schema","table"] as JSON
}

// define validates the parameters that define a shape.
func (s *Server) define(p *params, errs fieldErrors) *definition {
	rel, err := parseRelation(p.table)
	if err != nil {
		errs.add("table", err.Error())
		return nil
	}
	s.mu.RLock()
	t, ok := s.tables[rel]
	s.mu.RUnlock()
	if !ok {
		errs.add("table", fmt.Sprintf("Table %s does not exist. "+
			"If the table name contains capitals or special characters you must quote it.", rel))
		return nil
	}
	d := &definition{table: t, full: p.replica == "full", changesOnly: p.log == "changes_only"}
	if !d.chooseColumns(p, errs) {
		return nil
	}
	if p.where != "" {
		if msg := validateParams(p.params); msg != "" {
			errs.add("params", msg)
			return nil
		}
		d.where, err = compileCondition(p.where, p.params, t.scope(nil), "subqueries are not imitated")
		if err != nil {
			errs.add("where", err.Error())
			return nil
		}
	}
	if d.identity, err = d.identify(p); err != nil {
		errs.add("where", err.Error())
		return nil
	}
	d.encodeNames()
	return d
}

func (d *definition) chooseColumns(p *params, errs fieldErrors) bool {
	t := d.table
	var ok bool
	if p.queryable != nil {
		if d.queryable, ok = t.resolve(p.queryable, nil, "queryable_columns",
			"The list of queryable columns must include all primary key columns, missing: ",
			"The following queryable columns are not found on the table: ", errs); !ok {
			return false
		}
	}
	switch {
	case p.columns != nil:
		if d.selected, ok = t.resolve(p.columns, d.queryable, "columns",
			"The list of columns must include all primary key columns, missing: ",
			"The following columns are not found on the table: ", errs); !ok {
			return false
		}
	case d.queryable != nil:
		d.selected = d.queryable
	default:
		for i := range t.columns {
			d.selected = append(d.selected, i)
		}
		t.sortByName(d.selected)
	}
	return true
}

// resolve turns column names into indexes, sorted by name. among limits them.
func (t *table) resolve(names []string, among []int, field, missing, unknown string, errs fieldErrors) ([]int, bool) {
	var absent, strange []string
	for _, i := range t.key {
		if !slices.Contains(names, t.columns[i].name) {
			absent = append(absent, t.columns[i].name)
		}
	}
	var indexes []int
	for _, name := range names {
		i, ok := t.byName[name]
		if !ok || among != nil && !slices.Contains(among, i) {
			strange = append(strange, name)
		} else if !slices.Contains(indexes, i) {
			indexes = append(indexes, i)
		}
	}
	switch {
	case len(absent) > 0:
		errs.add(field, missing+strings.Join(absent, ", "))
	case len(strange) > 0:
		errs.add(field, unknown+strings.Join(strange, ", "))
	default:
		t.sortByName(indexes)
		return indexes, true
	}
	return nil, false
}

func (t *table) sortByName(indexes []int) {
	slices.SortFunc(indexes, func(a, b int) int { return cmp.Compare(t.columns[a].name, t.columns[b].name) })
}

func (d *definition) identify(p *params) (string, error) {
	where, err := d.where.identity()
	if err != nil {
		return "", err
	}
	all := p.columns == nil && p.queryable == nil
	return fmt.Sprintf("%s\x00%v\x00%t\x00%t\x00%t\x00%s",
		d.table.rel, d.selected, all, d.full, d.changesOnly, where), nil
}

func (d *definition) encodeNames() {
	for _, i := range d.selected {
		d.names = append(d.names, jsonString(d.table.columns[i].name)+":")
	}
	d.relation = "[" + jsonString(d.table.rel.schema) + "," + jsonString(d.table.rel.name) + "]"
}

// validateParams checks the names of a where's parameters: 1, 2, …, without gaps.
func validateParams(values map[string]string) string {
	numbers := make([]int, 0, len(values))
	for name := range values {
		n, err := strconv.Atoi(name)
		if err != nil {
			return "Parameters can only use numbers as keys"
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != i+1 {
			return "Parameters must be numbered sequentially, starting from 1"
		}
	}
	return ""
}

// appendSnapshotRow appends a row as snapshots and subsets send it. headers ends
// its headers: a closing brace, and what comes before it.
func (d *definition) appendSnapshotRow(dst []byte, r *row, headers string) []byte {
	dst = append(dst, `{"key":`...)
	dst = append(dst, r.key...)
	dst = append(dst, `,"value":{`...)
	for n, i := range d.selected {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, d.names[n]...)
		dst = appendCell(dst, r.cells[i])
	}
	dst = append(dst, `},"headers":{"relation":`...)
	dst = append(dst, d.relation...)
	dst = append(dst, `,"operation":"insert"`...)
	dst = append(dst, headers...)
	return append(dst, '}')
}

func appendCell(dst []byte, c cell) []byte {
	if c.null() {
		return append(dst, "null"...)
	}
	return append(dst, c.json...)
}

// snapshotRowLen is the length of what appendSnapshotRow appends with "}".
func (d *definition) snapshotRowLen(r *row) int {
	n := len(`{"key":`) + len(r.key) + len(`,"value":{`) + len(`},"headers":{"relation":`) +
		len(d.relation) + len(`,"operation":"insert"`) + len(`}}`) + len(d.selected) - 1
	for k, i := range d.selected {
		n += len(d.names[k])
		if c := r.cells[i]; c.null() {
			n += len("null")
		} else {
			n += len(c.json)
		}
	}
	return n
}

// appendLogValue appends the given columns of a row as the log sends them:
// booleans are t and f there, and true and false in snapshots.
func (d *definition) appendLogValue(dst []byte, r *row, include func(column int) bool) []byte {
	dst = append(dst, '{')
	first := true
	for n, i := range d.selected {
		if !include(i) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, d.names[n]...)
		c := r.cells[i]
		if d.table.columns[i].kind() == kindBool && !c.null() {
			dst = append(dst, '"', c.text[0], '"')
		} else {
			dst = appendCell(dst, c)
		}
	}
	return append(dst, '}')
}
