package electrictest

import "sync"

// Database is the Postgres that a Server follows: its tables, and the transactions that
// write them. It is safe for concurrent use.
//
// One lock guards it, the rows of its tables, and all that Electric holds of its shapes,
// since a commit changes the tables and the logs at one moment. What a table is, how a
// shape is defined, and the rows of a view or of a snapshot never change, and are read
// without the lock.
type Database struct {
	mu           sync.RWMutex
	catalog      catalog
	transactions transactions
	wal          int64 // the LSN of the write-ahead log's end
	shapes       shapes
}

// Where LSNs and transaction ids begin: somewhere in a database's life.
const (
	firstLSN = 24_000_000
	firstXID = 740
)

func newDatabase(chunkBytes int) *Database {
	return &Database{
		catalog: newCatalog(), transactions: transactions{next: firstXID, ended: firstXID - 1},
		wal: firstLSN, shapes: newShapes(chunkBytes, firstLSN),
	}
}

// Exec runs SQL statements as one transaction and returns its id: CREATE TABLE,
// DROP TABLE, INSERT, UPDATE, DELETE, TRUNCATE, and some that do nothing here
// (CREATE INDEX, GRANT, …). $1, $2, … stand for args, as Tx.Insert takes them.
// After an error nothing has changed, but for tables that were dropped.
func (d *Database) Exec(sql string, args ...any) (txid int64, err error) {
	return d.Tx(func(tx *Tx) error { return tx.exec(sql, args) })
}

// Tx runs a transaction of writes and returns its id. If do fails, it is undone.
func (d *Database) Tx(do func(tx *Tx) error) (txid int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := d.transactions.begin()
	if err := d.run(id, do); err != nil {
		return 0, err
	}
	return id, nil
}

// run runs a transaction that was begun, and ends it. The caller must hold the lock.
func (d *Database) run(id int64, do func(tx *Tx) error) error {
	defer d.transactions.end(id)
	tx := &Tx{db: d}
	if err := do(tx); err != nil {
		tx.undo()
		return err
	}
	d.commit(id, tx.writes.changes)
	return nil
}

// commit gives a transaction its LSN and adds it to the logs of the shapes that it
// concerns. The caller must hold the lock.
func (d *Database) commit(txid int64, changes []change) {
	d.wal += 96 + 56*int64(len(changes))
	lsn := d.wal
	d.wal += 48
	d.shapes.follow(changes, lsn, txid)
}

// WriteUnpublished moves the end of the write-ahead log on, as a checkpoint, a vacuum or
// a write to a table without shapes does: the database_lsn of snapshots moves with it,
// and the global_last_seen_lsn of logs does not.
func (d *Database) WriteUnpublished() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wal += 96
}
