package electrictest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Tx is a transaction of writes. It is valid only within the function it was
// given to, which holds the server's lock: that function must not call the
// Server.
type Tx struct {
	s       *Server
	id      int64
	changes []change
	created []relation

	createdParts []*partition
}

type changeKind uint8

const (
	inserted changeKind = iota
	updated
	deleted
	truncated
)

// change is one write, with what undoes it.
type change struct {
	kind     changeKind
	table    *table
	old, new *row
	pos      int

	rows  *heap // of a truncate: what the table held
	index map[string]int
}

// ID returns the transaction's id: the one in the txids of its messages.
func (tx *Tx) ID() int64 { return tx.id }

// Insert adds a row. Columns that row does not name get their default. Values
// are nil for NULL, strings in Postgres' text form, Go numbers, booleans, times,
// []string for text[], json.RawMessage, or anything with a String method.
//
// A table is named as in Electric's table parameter: name, schema.name, quoted
// where need be.
func (tx *Tx) Insert(tableName string, row map[string]any) error {
	t, err := tx.table(tableName)
	if err != nil {
		return err
	}
	cells := make([]cell, len(t.columns))
	named := 0
	for i := range t.columns {
		value, ok := row[t.columns[i].name]
		if !ok {
			if cells[i], err = t.fallbackCell(i); err != nil {
				return err
			}
			continue
		}
		named++
		if cells[i], err = t.cellOf(i, value); err != nil {
			return err
		}
	}
	if named != len(row) {
		return unknownColumn(t, row)
	}
	return tx.insert(t, cells)
}

// Update changes columns of the row with a primary key: its value, or an []any
// of the values of a composite key.
func (tx *Tx) Update(tableName string, key any, changes map[string]any) error {
	t, pos, err := tx.row(tableName, key)
	if err != nil {
		return err
	}
	old := t.rows.get(pos)
	cells := append([]cell(nil), old.cells...)
	for name, value := range changes {
		i, ok := t.byName[name]
		if !ok {
			return unknownColumn(t, changes)
		}
		if cells[i], err = t.cellOf(i, value); err != nil {
			return err
		}
	}
	return tx.update(t, pos, cells)
}

// Delete removes the row with a primary key.
func (tx *Tx) Delete(tableName string, key any) error {
	t, pos, err := tx.row(tableName, key)
	if err != nil {
		return err
	}
	tx.delete(t, pos)
	return nil
}

// Truncate empties a table. Electric invalidates every shape on it.
func (tx *Tx) Truncate(tableName string) error {
	t, err := tx.table(tableName)
	if err == nil {
		tx.truncate(t)
	}
	return err
}

func (tx *Tx) table(name string) (*table, error) {
	rel, err := parseRelation(name)
	if err != nil {
		return nil, err
	}
	return tx.relation(rel)
}

func (tx *Tx) relation(rel relation) (*table, error) {
	t, ok := tx.s.tables[rel]
	if _, isPart := tx.s.partitions[rel]; isPart {
		return nil, fmt.Errorf("relation %s is a partition: only writes to its root are imitated", rel)
	}
	if !ok {
		return nil, fmt.Errorf("relation %s does not exist", rel)
	}
	return t, nil
}

func (tx *Tx) row(tableName string, key any) (*table, int, error) {
	t, err := tx.table(tableName)
	if err != nil {
		return nil, 0, err
	}
	values, ok := key.([]any)
	if !ok {
		values = []any{key}
	}
	if !t.hasKey || len(values) != len(t.key) {
		return nil, 0, fmt.Errorf("relation %s has no primary key of %d columns", t.rel, len(values))
	}
	cells := make([]cell, len(t.columns))
	for n, i := range t.key {
		if cells[i], err = t.cellOf(i, values[n]); err != nil {
			return nil, 0, err
		}
	}
	pos, ok := t.find(t.rowKey(cells))
	if !ok {
		return nil, 0, fmt.Errorf("relation %s has no row with the key %v", t.rel, values)
	}
	return t, pos, nil
}

func unknownColumn(t *table, row map[string]any) error {
	for name := range row {
		if _, ok := t.byName[name]; !ok {
			return fmt.Errorf("column %q of relation %s does not exist", name, t.rel)
		}
	}
	return nil
}

func (tx *Tx) insert(t *table, cells []cell) error {
	r, err := t.newRow(cells)
	if err != nil {
		return err
	}
	return tx.insertRow(t, r)
}

func (tx *Tx) insertRow(t *table, r *row) error {
	if t.hasKey {
		if _, taken := t.find(r.key); taken {
			return &duplicateKeyError{t.rel.name}
		}
		t.index[r.key] = t.rows.n
	}
	pos := t.rows.append(r)
	tx.changes = append(tx.changes, change{kind: inserted, table: t, new: r, pos: pos})
	return nil
}

type duplicateKeyError struct{ table string }

func (e *duplicateKeyError) Error() string {
	return fmt.Sprintf("duplicate key value violates unique constraint %q", e.table+"_pkey")
}

func (tx *Tx) update(t *table, pos int, cells []cell) error {
	r, err := t.newRow(cells)
	if err != nil {
		return err
	}
	old := t.rows.get(pos)
	if r.part != old.part { // Postgres moves the row
		tx.delete(t, pos)
		return tx.insertRow(t, r)
	}
	if t.hasKey && r.key != old.key {
		if _, taken := t.find(r.key); taken {
			return &duplicateKeyError{t.rel.name}
		}
		delete(t.index, old.key)
		t.index[r.key] = pos
	}
	t.rows.set(pos, r)
	tx.changes = append(tx.changes, change{kind: updated, table: t, old: old, new: r, pos: pos})
	return nil
}

func (tx *Tx) delete(t *table, pos int) {
	old := t.rows.get(pos)
	if t.hasKey {
		delete(t.index, old.key)
	}
	t.rows.set(pos, nil)
	tx.changes = append(tx.changes, change{kind: deleted, table: t, old: old, pos: pos})
}

func (tx *Tx) truncate(t *table) {
	tx.changes = append(tx.changes, change{kind: truncated, table: t, rows: t.rows, index: t.index})
	t.clear()
}

// undo takes everything back, the last change first.
func (tx *Tx) undo() {
	for i := len(tx.changes) - 1; i >= 0; i-- {
		c := &tx.changes[i]
		t := c.table
		if t.hasKey && c.new != nil {
			delete(t.index, c.new.key)
		}
		if t.hasKey && c.old != nil {
			t.index[c.old.key] = c.pos
		}
		switch c.kind {
		case inserted:
			t.rows.set(c.pos, nil)
			t.rows.n--
		case updated, deleted:
			t.rows.set(c.pos, c.old)
		case truncated:
			t.rows, t.index = c.rows, c.index
		}
	}
	for _, p := range tx.createdParts {
		root := tx.s.partitions[p.rel]
		root.parts.parts = slices.DeleteFunc(root.parts.parts, func(other *partition) bool { return other == p })
		delete(tx.s.partitions, p.rel)
	}
	for _, rel := range tx.created {
		delete(tx.s.tables, rel)
	}
}

// cellOf makes a value of column i from a Go value.
func (t *table) cellOf(i int, value any) (cell, error) {
	text, err := textOf(value)
	if err != nil {
		return cell{}, fmt.Errorf("column %q: %w", t.columns[i].name, err)
	}
	return t.cellFor(i, text)
}

// textOf spells a Go value as Postgres takes it; nil is NULL.
func textOf(value any) (*string, error) {
	var s string
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		s = v
	case *string:
		return v, nil
	case bool:
		s = strconv.FormatBool(v)
	case int:
		s = strconv.Itoa(v)
	case int32:
		s = strconv.FormatInt(int64(v), 10)
	case int64:
		s = strconv.FormatInt(v, 10)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		s = v.UTC().Format(time.RFC3339Nano)
	case json.RawMessage:
		s = string(v)
	case []string:
		items := make([]*string, len(v))
		for i := range v {
			items[i] = &v[i]
		}
		s = formatArray(items)
	case fmt.Stringer:
		s = v.String()
	default:
		return nil, fmt.Errorf("a %T is no value", value)
	}
	return &s, nil
}
