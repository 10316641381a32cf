package electrictest

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// OpenTx is a transaction that stays open: snapshots that are taken meanwhile name its
// id in their xip_list and do not see it, and other transactions commit beside it. It is
// for one goroutine.
//
// It runs when it commits, as one that met no conflict: what its statements read is the
// state of that moment.
type OpenTx struct {
	s          *Server
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
func (s *Server) Begin() *OpenTx {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &OpenTx{s: s, id: s.begin()}
}

// ID returns the transaction's id: the one in the txids of its messages.
func (t *OpenTx) ID() int64 { return t.id }

// Exec adds SQL statements to the transaction. It takes what Server.Exec takes.
func (t *OpenTx) Exec(sql string, args ...any) {
	t.statements = append(t.statements, statement{sql, args})
}

// Commit runs the statements and ends the transaction. After an error nothing has
// changed.
func (t *OpenTx) Commit() error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if t.over {
		return errOver
	}
	t.over = true
	return t.s.run(t.id, func(tx *Tx) error {
		for _, st := range t.statements {
			if err := tx.exec(st.sql, st.args); err != nil {
				return err
			}
		}
		return nil
	})
}

// Rollback ends the transaction without a change.
func (t *OpenTx) Rollback() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if !t.over {
		t.over = true
		t.s.end(t.id)
	}
}

// begin gives out a transaction's id. The caller must hold the lock.
func (s *Server) begin() int64 {
	id := s.nextXID
	s.nextXID++
	s.running = append(s.running, id)
	return id
}

// end notes that a transaction has ended. The caller must hold the lock.
func (s *Server) end(id int64) {
	s.running = slices.DeleteFunc(s.running, func(other int64) bool { return other == id })
	s.ended = max(s.ended, id)
}

// fence is what pg_current_snapshot() says, as the members of an answer. The caller must
// hold the lock.
func (s *Server) fence() string {
	xmax := s.ended + 1
	xmin := xmax
	var xip []string
	for _, id := range s.running {
		if id < xmax {
			xip = append(xip, `"`+strconv.FormatInt(id, 10)+`"`)
			xmin = min(xmin, id)
		}
	}
	return `"xip_list":[` + strings.Join(xip, ",") + `],"xmax":"` + strconv.FormatInt(xmax, 10) +
		`","xmin":"` + strconv.FormatInt(xmin, 10) + `"`
}
