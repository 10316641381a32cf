package electrictest

import "fmt"

// writes changes rows, and can take the changes back. Its methods must be called under
// the database's lock, from the first change to the last.
type writes struct{ changes []change }

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

func (w *writes) insert(t *table, cells []cell) error {
	r, err := t.newRow(cells)
	if err != nil {
		return err
	}
	return w.insertRow(t, r)
}

func (w *writes) insertRow(t *table, r *row) error {
	if t.hasKey {
		if _, taken := t.find(r.key); taken {
			return &duplicateKeyError{t.rel.name}
		}
		t.index[r.key] = t.rows.n
	}
	pos := t.rows.append(r)
	w.changes = append(w.changes, change{kind: inserted, table: t, new: r, pos: pos})
	return nil
}

type duplicateKeyError struct{ table string }

func (e *duplicateKeyError) Error() string {
	return fmt.Sprintf("duplicate key value violates unique constraint %q", e.table+"_pkey")
}

func (w *writes) update(t *table, pos int, cells []cell) error {
	r, err := t.newRow(cells)
	if err != nil {
		return err
	}
	old := t.rows.get(pos)
	if r.part != old.part { // Postgres moves the row
		w.delete(t, pos)
		return w.insertRow(t, r)
	}
	if t.hasKey && r.key != old.key {
		if _, taken := t.find(r.key); taken {
			return &duplicateKeyError{t.rel.name}
		}
		delete(t.index, old.key)
		t.index[r.key] = pos
	}
	t.rows.set(pos, r)
	w.changes = append(w.changes, change{kind: updated, table: t, old: old, new: r, pos: pos})
	return nil
}

func (w *writes) delete(t *table, pos int) {
	old := t.rows.get(pos)
	if t.hasKey {
		delete(t.index, old.key)
	}
	t.rows.set(pos, nil)
	w.changes = append(w.changes, change{kind: deleted, table: t, old: old, pos: pos})
}

func (w *writes) truncate(t *table) {
	w.changes = append(w.changes, change{kind: truncated, table: t, rows: t.rows, index: t.index})
	t.clear()
}

// undo takes everything back, the last change first.
func (w *writes) undo() {
	for i := len(w.changes) - 1; i >= 0; i-- {
		c := &w.changes[i]
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
}
