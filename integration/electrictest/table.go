package electrictest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// column is one column of a table.
type column struct {
	name string
	columnType
	notNull  bool
	pkIndex  int // the position in the primary key, or -1
	fallback *expr
	sequence *int64 // of a serial or identity column: the last value given
}

// table is one table and its rows. What describes it never changes; the server's
// lock guards the rest.
type table struct {
	rel     relation
	parts   *partitioning // nil: it is one table
	columns []column
	byName  map[string]int
	key     []int // the primary key's columns; all columns if there is none
	hasKey  bool

	rows  *heap
	index map[string]int // from a row's key to its position; nil without a primary key

	// published says that Electric follows the table: it does from the first
	// shape on. Changes from before it are in no log and move no LSN.
	published bool
	shapes    map[*shape]struct{}
}

func newTable(rel relation, columns []column, key []int) *table {
	t := &table{
		rel: rel, columns: columns, key: key, hasKey: len(key) > 0,
		byName: make(map[string]int, len(columns)), shapes: make(map[*shape]struct{}),
	}
	for i := range columns {
		t.byName[columns[i].name] = i
		columns[i].pkIndex = slices.Index(key, i)
		if columns[i].pkIndex >= 0 {
			columns[i].notNull = true
		} else if !t.hasKey {
			t.key = append(t.key, i)
		}
	}
	t.clear()
	return t
}

func (t *table) clear() {
	t.rows = &heap{}
	if t.hasKey {
		t.index = make(map[string]int)
	}
}

// compact drops the places of deleted rows once they are most of the heap.
func (t *table) compact() {
	if t.rows.n < 4*pageRows || t.rows.live > t.rows.n/2 {
		return
	}
	rows := &heap{}
	for _, r := range t.rows.view().all() {
		pos := rows.append(r)
		if t.hasKey {
			t.index[r.key] = pos
		}
	}
	t.rows = rows
}

// scope is what an expression about the table's rows may name: all columns, or
// the given ones.
func (t *table) scope(only []int) scope {
	s := scope{key: -1, column: func(name string) (int, typ, bool) {
		i, ok := t.byName[name]
		if !ok || only != nil && !slices.Contains(only, i) {
			return 0, typ{}, false
		}
		return i, t.columns[i].typ, true
	}}
	if t.hasKey && len(t.key) == 1 {
		s.key = t.key[0]
	}
	return s
}

// rowKey spells the key of a row as snapshots do (recording 12), as JSON.
func (t *table) rowKey(cells []cell) string { return t.keyAfter(t.rel.String(), cells) }

// logKey spells the key of a row as the log does (recordings 14 and 15), as JSON: by the
// partition that the row is in, with every . and / of a name doubled.
func (t *table) logKey(cells []cell, part *partition) string {
	if part != nil {
		return t.keyAfter(part.rel.logString(), cells)
	}
	return t.keyAfter(t.rel.logString(), cells)
}

func (t *table) keyAfter(name string, cells []cell) string {
	b := []byte(name)
	for _, i := range t.key {
		if cells[i].null() {
			b = append(b, "/_"...)
			continue
		}
		b = appendKeyPart(b, cells[i].text)
	}
	return string(appendJSONString(make([]byte, 0, len(b)+8), string(b)))
}

func appendKeyPart(b []byte, text string) []byte {
	b = append(b, '/', '"')
	if strings.IndexByte(text, '/') >= 0 {
		text = strings.ReplaceAll(text, "/", "//")
	}
	b = append(b, text...)
	return append(b, '"')
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

// newRow checks the cells and gives them their key.
func (t *table) newRow(cells []cell) (*row, error) {
	for i := range t.columns {
		if t.columns[i].notNull && cells[i].null() {
			return nil, fmt.Errorf("null value in column %q of relation %q violates not-null constraint",
				t.columns[i].name, t.rel.name)
		}
	}
	r := &row{cells: cells, key: t.rowKey(cells)}
	r.logKey = r.key
	if t.parts != nil {
		var err error
		if r.part, err = t.parts.of(cells); err != nil {
			return nil, err
		}
	}
	if r.part != nil || t.rel.logString() != t.rel.String() {
		r.logKey = t.logKey(cells, r.part)
	}
	return r, nil
}

// cellFor makes a value of column i from its text; nil is NULL.
func (t *table) cellFor(i int, text *string) (cell, error) {
	if text == nil {
		return cell{}, nil
	}
	s, err := t.columns[i].canonical(*text)
	if err != nil {
		return cell{}, fmt.Errorf("column %q: %w", t.columns[i].name, err)
	}
	return newCell(s), nil
}

// fallbackCell is the value of column i where an insert gives none.
func (t *table) fallbackCell(i int) (cell, error) {
	c := &t.columns[i]
	switch {
	case c.sequence != nil:
		*c.sequence++
		return newCell(strconv.FormatInt(*c.sequence, 10)), nil
	case c.fallback == nil:
		return cell{}, nil
	}
	return t.evaluated(i, c.fallback, nil)
}

// evaluated makes a value of column i from an expression.
func (t *table) evaluated(i int, e *expr, cells []cell) (cell, error) {
	if e.untyped() {
		return t.cellFor(i, e.literal)
	}
	d := e.get(cells)
	if d.null {
		return cell{}, nil
	}
	text := encode(e.typ, d)
	return t.cellFor(i, &text)
}

// schemaHeader is the electric-schema header of the given columns.
func (t *table) schemaHeader(columns []int) string {
	var b bytes.Buffer
	b.WriteByte('{')
	for n, i := range columns {
		if n > 0 {
			b.WriteByte(',')
		}
		c := &t.columns[i]
		b.Write(appendJSONString(nil, c.name))
		b.WriteByte(':')
		attributes, err := json.Marshal(c.attributes())
		if err != nil {
			panic(err) // strings and numbers always encode
		}
		b.Write(attributes)
	}
	b.WriteByte('}')
	return b.String()
}

type columnAttributes struct {
	Type      string `json:"type"`
	NotNull   bool   `json:"not_null,omitempty"`
	PKIndex   *int   `json:"pk_index,omitempty"`
	Dims      int    `json:"dims,omitempty"`
	MaxLength int    `json:"max_length,omitempty"`
	Length    int    `json:"length,omitempty"`
	Precision *int   `json:"precision,omitempty"`
	Scale     *int   `json:"scale,omitempty"`
}

func (c *column) attributes() columnAttributes {
	a := columnAttributes{Type: c.typ.name, NotNull: c.notNull}
	if c.pkIndex >= 0 {
		a.PKIndex = &c.pkIndex
	}
	if c.array {
		a.Dims = 1
	}
	if len(c.mods) == 0 {
		return a
	}
	switch c.typ.name {
	case "varchar":
		a.MaxLength = c.mods[0]
	case "bpchar", "bit", "varbit":
		a.Length = c.mods[0]
	case "numeric":
		scale := 0
		if len(c.mods) > 1 {
			scale = c.mods[1]
		}
		a.Precision, a.Scale = &c.mods[0], &scale
	default:
		a.Precision = &c.mods[0]
	}
	return a
}
