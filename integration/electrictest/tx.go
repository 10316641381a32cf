package electrictest

import "fmt"

// Tx is a transaction of writes. It is valid only within the function it was
// given to, which holds the database's lock: that function must not call the
// Server.
type Tx struct {
	db      *Database
	writes  writes
	created []func() // each takes a table or a partition away that was created
}

// Insert adds a row. Columns that row does not name get their default. Values
// are nil for NULL, strings in Postgres' text form, ints, booleans, or times.
//
// A table is named as in Electric's table parameter: name, schema.name, quoted
// where need be.
func (tx *Tx) Insert(tableName string, row map[string]any) error {
	t, err := tx.db.catalog.named(tableName)
	if err != nil {
		return err
	}
	for name := range row {
		if _, err := t.named(name); err != nil {
			return err
		}
	}
	cells := make([]cell, len(t.columns))
	for i := range t.columns {
		c := &t.columns[i]
		if value, ok := row[c.name]; ok {
			cells[i], err = c.cellOf(value)
		} else {
			cells[i], err = c.fallbackCell()
		}
		if err != nil {
			return err
		}
	}
	return tx.writes.insert(t, cells)
}

// Update changes columns of the row with a primary key, which is of one column. It takes
// the values that Insert takes.
func (tx *Tx) Update(tableName string, key any, changes map[string]any) error {
	t, err := tx.db.catalog.named(tableName)
	if err != nil {
		return err
	}
	pos, err := t.keyed(key)
	if err != nil {
		return err
	}
	cells := append([]cell(nil), t.rows.get(pos).cells...)
	for name, value := range changes {
		i, err := t.named(name)
		if err != nil {
			return err
		}
		if cells[i], err = t.columns[i].cellOf(value); err != nil {
			return err
		}
	}
	return tx.writes.update(t, pos, cells)
}

// keyed returns the position of the row with a primary key of one column.
func (t *table) keyed(key any) (int, error) {
	if !t.hasKey || len(t.key) != 1 {
		return 0, fmt.Errorf("relation %s has no primary key of one column", t.rel)
	}
	cells := make([]cell, len(t.columns))
	var err error
	if cells[t.key[0]], err = t.columns[t.key[0]].cellOf(key); err != nil {
		return 0, err
	}
	pos, ok := t.find(t.rowKey(cells))
	if !ok {
		return 0, fmt.Errorf("relation %s has no row with the key %v", t.rel, key)
	}
	return pos, nil
}

// undo takes everything back, but for tables that were dropped.
func (tx *Tx) undo() {
	tx.writes.undo()
	for _, f := range tx.created {
		f()
	}
}
