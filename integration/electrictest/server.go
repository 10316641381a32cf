package electrictest

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options configures a Server. The zero value is Electric's defaults, without a
// secret.
type Options struct {
	// Secret is what the query parameter secret must be; empty asks for none.
	Secret string

	// LongPollTimeout is how long a live request waits for a change: 20 s by
	// default. A request that is ahead of its log waits for half of it.
	LongPollTimeout time.Duration

	// SSETimeout is how long an event stream stays open: 60 s by default.
	SSETimeout time.Duration

	// KeepAlive is how long an event stream may be silent before it gets a
	// comment: 21 s by default.
	KeepAlive time.Duration

	// ChunkBytes is the size at which a chunk of a log is closed: 10 MiB by
	// default.
	ChunkBytes int

	// Logger gets one debug record per request, without its query; nil logs
	// nothing.
	Logger *slog.Logger
}

// Server is an Electric over tables in memory. It is an http.Handler, and safe
// for concurrent use.
type Server struct {
	opts Options

	mu         sync.RWMutex
	tables     map[relation]*table
	partitions map[relation]*table // their root tables
	shapes     map[string][]*shape // by their definition's identity, the oldest first
	handles    map[string]*shape
	wal        int64 // the LSN of the write-ahead log's end
	seen       int64 // the LSN of the last transaction that Electric was sent
	lastHandle int64
	fronts     []*Front // those of NewFront

	transactions transactions

	main *Front // the server's own

	closing   chan struct{}
	closeOnce sync.Once

	intercept atomic.Pointer[func(*http.Request, []byte) error]
	inspector inspector
}

var _ http.Handler = (*Server)(nil)

// Where LSNs and transaction ids begin: somewhere in a database's life.
const (
	firstLSN = 24_000_000
	firstXID = 740
)

// New returns a server without tables.
func New(opts Options) *Server {
	if opts.LongPollTimeout == 0 {
		opts.LongPollTimeout = 20 * time.Second
	}
	if opts.SSETimeout == 0 {
		opts.SSETimeout = 60 * time.Second
	}
	if opts.KeepAlive == 0 {
		opts.KeepAlive = 21 * time.Second
	}
	if opts.ChunkBytes == 0 {
		opts.ChunkBytes = 10 << 20
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		opts:       opts,
		tables:     make(map[relation]*table),
		partitions: make(map[relation]*table),
		shapes:     make(map[string][]*shape),
		handles:    make(map[string]*shape),
		wal:        firstLSN, seen: firstLSN, transactions: transactions{next: firstXID, ended: firstXID - 1},
		closing: make(chan struct{}),
	}
	s.main = &Front{s: s, limit: noLag}
	s.inspector.init()
	return s
}

// Close ends the requests that wait: long-polls with a 503, event streams as at
// their timeout. Requests that come later are still answered, but none waits.
func (s *Server) Close() {
	s.closeOnce.Do(func() { close(s.closing) })
}

// Exec runs SQL statements as one transaction and returns its id: CREATE TABLE,
// DROP TABLE, INSERT, UPDATE, DELETE, TRUNCATE, and some that do nothing here
// (CREATE INDEX, GRANT, …). $1, $2, … stand for args, as Tx.Insert takes them.
// After an error nothing has changed, but for tables that were dropped.
func (s *Server) Exec(sql string, args ...any) (txid int64, err error) {
	return s.Tx(func(tx *Tx) error { return tx.exec(sql, args) })
}

// Tx runs a transaction of writes and returns its id. If do fails, it is undone.
func (s *Server) Tx(do func(tx *Tx) error) (txid int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.transactions.begin()
	if err := s.run(id, do); err != nil {
		return 0, err
	}
	return id, nil
}

// run runs a transaction that was begun, and ends it. The caller must hold the lock.
func (s *Server) run(id int64, do func(tx *Tx) error) error {
	defer s.transactions.end(id)
	tx := &Tx{s: s, id: id}
	if err := do(tx); err != nil {
		tx.undo()
		return err
	}
	s.commit(tx)
	return nil
}

// commit gives the transaction its LSN and adds it to the logs of the shapes that it
// concerns. The caller must hold the lock.
func (s *Server) commit(tx *Tx) {
	s.wal += 96 + 56*int64(len(tx.changes))
	lsn := s.wal
	s.wal += 48
	ops := make([]int64, len(tx.changes))
	affected := make(map[*table]bool) // whether it was truncated
	op := int64(0)
	for i := range tx.changes {
		c := &tx.changes[i]
		if !c.table.published {
			continue
		}
		ops[i] = op
		op += 2 // room for an update that is split in two
		affected[c.table] = affected[c.table] || c.kind == truncated
	}
	for i := range tx.changes {
		tx.changes[i].table.compact()
	}
	if len(affected) > 0 {
		s.seen = lsn
	}
	for t, truncated := range affected {
		if truncated {
			s.rotate(t, lsn)
			continue
		}
		for sh := range t.shapes {
			sh.apply(tx.changes, ops, lsn, tx.id, s.opts.ChunkBytes)
		}
	}
}

// WriteUnpublished moves the end of the write-ahead log on, as a checkpoint, a vacuum or
// a write to a table without shapes does: the database_lsn of snapshots moves with it,
// and the global_last_seen_lsn of logs does not.
func (s *Server) WriteUnpublished() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wal += 96
}

// FallBehind is as Front.FallBehind.
func (s *Server) FallBehind() { s.main.FallBehind() }

// CatchUp is as Front.CatchUp.
func (s *Server) CatchUp() { s.main.CatchUp() }

// End is as Front.End.
func (s *Server) End(handle string) (offset string, ok bool) { return s.main.End(handle) }

// Rotate invalidates every shape on a table, as a truncate does, but keeps its rows and
// does not lag. It is how Electric behaves after a schema change or a lost disk.
func (s *Server) Rotate(tableName string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := (&Tx{s: s}).table(tableName)
	if err == nil {
		s.rotate(t, atOnce)
	}
	return err
}
