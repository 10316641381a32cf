package electrictest

import "errors"

// OpenTx is a transaction that stays open: snapshots that are taken meanwhile name its
// id in their xip_list and do not see it, and other transactions commit beside it. It is
// for one goroutine.
//
// It runs when it commits, as one that met no conflict: what its statements read is the
// state of that moment.
type OpenTx struct {
	db         *Database
	id         int64
	statements []statement
	over       bool
}

type statement struct {
	sql  string
	args []any
}

var errOver = errors.New("the transaction has ended")

// Begin opens a transaction.
func (d *Database) Begin() *OpenTx {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &OpenTx{db: d, id: d.transactions.begin()}
}

// ID returns the transaction's id: the one in the txids of its messages.
func (t *OpenTx) ID() int64 { return t.id }

// Exec adds SQL statements to the transaction. It takes what Database.Exec takes.
func (t *OpenTx) Exec(sql string, args ...any) {
	t.statements = append(t.statements, statement{sql, args})
}

// Commit runs the statements and ends the transaction. After an error nothing has
// changed.
func (t *OpenTx) Commit() error {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	if t.over {
		return errOver
	}
	t.over = true
	return t.db.run(t.id, func(tx *Tx) error {
		for _, st := range t.statements {
			if err := tx.exec(st.sql, st.args); err != nil {
				return err
			}
		}
		return nil
	})
}
