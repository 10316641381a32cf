package proxy_test

import (
	"context"
	"sync"

	"github.com/shapegate/shapegate/authz"
)

// lateWatch is an engine whose watch can be held back, while it answers questions
// as ever: a watch that is late, as it is for a moment with every SpiceDB.
type lateWatch struct {
	authz.Engine
	mu sync.Mutex // held while the watch is
}

func (e *lateWatch) Watch(ctx context.Context, after authz.ZedToken, yield func(authz.WatchEvent)) error {
	return e.Engine.Watch(ctx, after, func(event authz.WatchEvent) {
		e.mu.Lock()
		defer e.mu.Unlock()
		yield(event)
	})
}

// hold lets the watch bring nothing until it is released.
func (e *lateWatch) hold() (release func()) {
	e.mu.Lock()
	return sync.OnceFunc(e.mu.Unlock)
}
