package electrictest

import (
	"cmp"
	"fmt"
	"slices"
)

// layout is what describes a table, and spells its rows. It never changes, but for the
// partitions that are added to it under the database's lock.
type layout struct {
	rel     relation
	parts   *partitioning // nil: it is one table
	columns []column
	byName  map[string]int
	key     []int // the primary key's columns; all columns if there is none
	hasKey  bool
}

func newLayout(rel relation, columns []column, key []int) *layout {
	l := &layout{rel: rel, columns: columns, key: key, hasKey: len(key) > 0, byName: make(map[string]int, len(columns))}
	for i := range columns {
		l.byName[columns[i].name] = i
		columns[i].pkIndex = slices.Index(key, i)
		if columns[i].pkIndex >= 0 {
			columns[i].notNull = true
		} else if !l.hasKey {
			l.key = append(l.key, i)
		}
	}
	return l
}

// scope is what an expression about the table's rows may name: all columns, or
// the given ones.
func (l *layout) scope(only []int) scope {
	s := scope{key: -1, column: func(name string) (int, typ, bool) {
		i, ok := l.byName[name]
		if !ok || only != nil && !slices.Contains(only, i) {
			return 0, typ{}, false
		}
		return i, l.columns[i].typ, true
	}}
	if l.hasKey && len(l.key) == 1 {
		s.key = l.key[0]
	}
	return s
}

// named returns the column of a name.
func (l *layout) named(name string) (int, error) {
	i, ok := l.byName[name]
	if !ok {
		return 0, fmt.Errorf("column %q of relation %s does not exist", name, l.rel)
	}
	return i, nil
}

// newRow checks the cells and gives them their keys.
func (l *layout) newRow(cells []cell) (*row, error) {
	for i := range l.columns {
		if l.columns[i].notNull && cells[i].null() {
			return nil, fmt.Errorf("null value in column %q of relation %q violates not-null constraint",
				l.columns[i].name, l.rel.name)
		}
	}
	r := &row{cells: cells, key: l.rowKey(cells)}
	r.logKey = r.key
	if l.parts != nil {
		var err error
		if r.part, err = l.parts.of(cells); err != nil {
			return nil, err
		}
	}
	if r.part != nil || l.rel.logString() != l.rel.String() {
		r.logKey = l.logKey(cells, r.part)
	}
	return r, nil
}

func (l *layout) sortByName(indexes []int) {
	slices.SortFunc(indexes, func(a, b int) int { return cmp.Compare(l.columns[a].name, l.columns[b].name) })
}
