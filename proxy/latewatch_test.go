package proxy_test

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// lateWatch is an engine whose watch can be held back, while it answers questions
// as ever: a watch that is late, as it is for a moment with every SpiceDB.
type lateWatch struct {
	authz.Engine
	mu    sync.Mutex   // held while the watch is
	asked atomic.Int64 // when something was last looked up, in ns
}

func (e *lateWatch) Watch(ctx context.Context, after authz.ZedToken, yield func(authz.WatchEvent)) error {
	return e.Engine.Watch(ctx, after, func(event authz.WatchEvent) {
		e.mu.Lock()
		defer e.mu.Unlock()
		yield(event)
	})
}

func (e *lateWatch) LookupResources(ctx context.Context, l authz.Lookup, yield func(string)) (authz.ZedToken, error) {
	defer func() { e.asked.Store(time.Now().UnixNano()) }()
	return e.Engine.LookupResources(ctx, l, yield)
}

// againAfter is longer than it takes until the grant cache asks once more, in the background,
// what it asked soon after a change. It would learn what the watch does not say.
const againAfter = 400 * time.Millisecond

// quiet returns once the grants of those who wait are not asked for once more.
func (e *lateWatch) quiet(d *deployment) {
	d.t.Helper()
	d.await(func() bool { return time.Since(time.Unix(0, e.asked.Load())) > againAfter })
}

// hold lets the watch bring nothing until it is released.
func (e *lateWatch) hold() (release func()) {
	e.mu.Lock()
	return sync.OnceFunc(e.mu.Unlock)
}
