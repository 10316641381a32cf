package electrictest

import "slices"

// table is one table and its rows. Its layout never changes; the database's lock guards
// the rest.
type table struct {
	*layout
	rows  *heap
	index map[string]int // from a row's key to its position; nil without a primary key

	// published says that Electric follows the table: it does from the first
	// shape on. Changes from before it are in no log and move no LSN.
	published bool
	shapes    map[*shape]struct{} // the valid ones
}

func newTable(l *layout) *table {
	t := &table{layout: l, shapes: make(map[*shape]struct{})}
	t.clear()
	return t
}

func (t *table) clear() {
	t.rows = &heap{}
	if t.hasKey {
		t.index = make(map[string]int)
	}
}

// find returns the position of the row with a key.
func (t *table) find(key string) (int, bool) {
	pos, ok := t.index[key]
	return pos, ok
}

// lookup returns the rows whose one-column primary key has one of the texts, in
// the table's order.
func (t *table) lookup(ids *idSet) []*row {
	positions := make([]int, 0, len(ids.texts))
	cells := make([]cell, len(t.columns))
	for _, text := range ids.texts {
		cells[t.key[0]] = cell{text: text, json: `""`} // rowKey reads the text alone
		if pos, ok := t.find(t.rowKey(cells)); ok {
			positions = append(positions, pos)
		}
	}
	slices.Sort(positions)
	positions = slices.Compact(positions)
	rows := make([]*row, len(positions))
	for i, pos := range positions {
		rows[i] = t.rows.get(pos)
	}
	return rows
}
