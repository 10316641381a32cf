package grantcachetest

import (
	"context"
	"sync"

	"github.com/shapegate/shapegate/authz"
)

// watch is the engine of a cache, and notes what its watch has brought to the cache. A
// decision alone does not show that: the cache may have asked SpiceDB about the sentinel,
// for a reason of its own, before the watch brought anything.
type watch struct {
	authz.Engine

	mu      sync.Mutex
	begun   int
	heard   map[string]bool // the objects of sentinels
	changed chan struct{}   // closed at the next change
}

// Watch watches as the engine does.
func (w *watch) Watch(ctx context.Context, after authz.ZedToken, yield func(authz.WatchEvent)) error {
	w.change(func() { w.begun++ })
	return w.Engine.Watch(ctx, after, func(e authz.WatchEvent) {
		yield(e)
		for _, u := range e.Updates {
			if u.Subject.ID == sentinelID {
				w.change(func() { w.heard[u.Resource.ID] = true })
			}
		}
	})
}

func (w *watch) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
	close(w.changed)
	w.changed = make(chan struct{})
}

// since returns how often the watch has begun.
func (w *watch) since() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun
}

// next returns a channel that is closed at the next change.
func (w *watch) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// hasHeard reports whether the watch brought a sentinel's object, or began once more since:
// the cache then asks for everything.
func (w *watch) hasHeard(id string, begun int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	is := w.heard[id] || w.begun > begun
	if is {
		delete(w.heard, id)
	}
	return is
}
