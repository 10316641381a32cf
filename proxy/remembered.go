package proxy

import (
	"sync"
	"time"
)

// remembered is what this process knows of the clients that hold its handles, beyond
// what a handle says itself. It is lost with the process; and what is not used for a
// while is forgotten.
type remembered[T any] struct {
	lifetime time.Duration
	now      func() time.Time

	mu      sync.Mutex
	entries map[string]memory[T] // by nonce
	sweepAt time.Time            // when old ones are cleared away
}

type memory[T any] struct {
	value T
	used  time.Time
}

func newRemembered[T any](lifetime time.Duration, now func() time.Time) *remembered[T] {
	return &remembered[T]{lifetime: lifetime, now: now, entries: make(map[string]memory[T])}
}

// of returns what is known of a handle, if anything is.
func (r *remembered[T]) of(h handle) (value T, known bool) {
	r.update(h, func(v *T, is bool) bool {
		value, known = *v, is
		return is
	})
	return value, known
}

// put notes what is known of a handle.
func (r *remembered[T]) put(h handle, value T) {
	r.update(h, func(v *T, _ bool) bool {
		*v = value
		return true
	})
}

// update changes what is known of a handle, which is nothing unless known. It stays
// unknown where change returns false.
func (r *remembered[T]) update(h handle, change func(value *T, known bool) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	m, known := r.entries[h.nonce]
	if !change(&m.value, known) {
		return
	}
	m.used = now
	r.entries[h.nonce] = m
	r.sweep(now)
}

// sweep forgets what is old, now and then. The caller holds the lock.
func (r *remembered[T]) sweep(now time.Time) {
	if !now.After(r.sweepAt) {
		return
	}
	for nonce, m := range r.entries {
		if now.Sub(m.used) > r.lifetime {
			delete(r.entries, nonce)
		}
	}
	r.sweepAt = now.Add(r.lifetime / 4)
}
