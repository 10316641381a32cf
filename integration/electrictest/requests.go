package electrictest

import (
	"context"
	"sync"
)

// Requests knows what a Server was asked. It is safe for concurrent use.
type Requests struct {
	mu      sync.Mutex // guards the rest
	stats   Stats
	changed chan struct{} // closed, and replaced, when Held changes
}

// Stats counts requests to /v1/shape.
type Stats struct {
	Total int // all since New, refused ones included
	Held  int // long-polls and event streams that wait at this moment
}

func newRequests() *Requests { return &Requests{changed: make(chan struct{})} }

// Stats returns the counts so far.
func (q *Requests) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}

// WaitHeld returns once exactly n requests wait, so that a test can write while
// they do. It returns ctx's error if that does not happen.
func (q *Requests) WaitHeld(ctx context.Context, n int) error {
	for {
		q.mu.Lock()
		held, changed := q.stats.Held, q.changed
		q.mu.Unlock()
		if held == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *Requests) arrived() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Total++
}

// hold notes that a request begins to wait; the function it returns, that it no longer
// does.
func (q *Requests) hold() (end func()) {
	q.count(1)
	return func() { q.count(-1) }
}

func (q *Requests) count(by int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Held += by
	close(q.changed)
	q.changed = make(chan struct{})
}
