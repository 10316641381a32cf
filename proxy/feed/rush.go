package feed

import (
	"context"
	"sync"
	"time"
)

// A rush is the time in which many readers that one message woke are answered. Their clients
// come back at once, while other readers still wait for their answer. A request that is
// about to wait gives way to them.
type rush struct {
	of   *rushes
	left int           // woken readers that are not answered yet
	over chan struct{} // closed at the end
}

const (
	// manyWoken is how many woken readers make a rush: fewer are answered at once.
	manyWoken = 100
	// rushTime is how long a rush lasts at most: a client may be slow to take its answer.
	rushTime = 100 * time.Millisecond
)

// rushes has the rush of this moment, of all feeds together.
type rushes struct {
	begun chan struct{} // receives when there is one; nil, or full: nobody listens

	mu  sync.Mutex
	now *rush // nil: there is none
}

// begin notes that readers were woken. It returns the rush whose done is to be called for
// each of them, or nil if they are few.
func (s *rushes) begin(woken int) *rush {
	if woken < manyWoken {
		return nil
	}
	select {
	case s.begun <- struct{}{}:
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		r := &rush{of: s, over: make(chan struct{})}
		s.now = r
		time.AfterFunc(rushTime, r.end)
	}
	s.now.left += woken
	return s.now
}

// wait waits until there is no rush. It ends with ctx, too.
func (s *rushes) wait(ctx context.Context) {
	s.mu.Lock()
	r := s.now
	s.mu.Unlock()
	if r == nil {
		return
	}
	select {
	case <-r.over:
	case <-ctx.Done():
	}
}

// done notes that a woken reader was answered, or went away.
func (r *rush) done() {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	if r.left--; r.left == 0 {
		r.close()
	}
}

// end ends the rush when its time is over.
func (r *rush) end() {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.close()
}

// close ends the rush, once. The caller holds the lock.
func (r *rush) close() {
	if r.of.now == r {
		r.of.now = nil
		close(r.over)
	}
}
