package grants

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// replica is what one client holds, and what its person was granted: the truth
// that everything received is held against.
type replica struct {
	mu      sync.Mutex
	rows    map[string]string // titles by id, as of the last up-to-date
	pending []message         // received, and not up-to-date yet
	granted map[string]bool   // false: was granted once, and is no more
	leaks   []string
	awaited map[*awaited]struct{}
}

// awaited is something that a replica is to become.
type awaited struct {
	met func(rows map[string]string) bool
	at  chan time.Time // receives when it did
}

func newReplica(granted []string) *replica {
	r := &replica{
		rows:    make(map[string]string),
		granted: make(map[string]bool, len(granted)),
		awaited: make(map[*awaited]struct{}),
	}
	r.grant(granted)
	return r
}

// grant notes that rows may arrive from now on. It comes before the relationship
// is written.
func (r *replica) grant(ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.granted[id] = true
	}
}

// revoked notes that rows have gone: none may come back.
func (r *replica) revoked(ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.granted[id] = false
	}
}

// await waits for the replica to be as met says. It comes before the change.
func (r *replica) await(met func(rows map[string]string) bool) *awaited {
	a := &awaited{met: met, at: make(chan time.Time, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.awaited[a] = struct{}{}
	return a
}

func (r *replica) forget(a *awaited) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.awaited, a)
}

// receive takes messages. As the official client does, it keeps them to itself
// until it is up to date.
func (r *replica) receive(messages ...message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range messages {
		switch {
		case m.Headers.Control == upToDate:
			if err := r.settle(time.Now()); err != nil {
				return err
			}
		case m.Headers.Control == "":
			if err := r.judge(&m); err != nil {
				return err
			}
			r.pending = append(r.pending, m)
		}
	}
	return nil
}

// judge holds a message against what was granted.
func (r *replica) judge(m *message) error {
	id, err := m.id()
	if err != nil {
		return err
	}
	if now, ever := r.granted[id]; !ever || !now && m.Headers.Operation != "delete" {
		r.leaks = append(r.leaks, fmt.Sprintf("%s of %s", m.Headers.Operation, id))
	}
	return nil
}

// settle applies what was received. The caller holds the lock.
func (r *replica) settle(now time.Time) error {
	for i := range r.pending {
		m := &r.pending[i]
		id, err := m.id()
		if err != nil {
			return err
		}
		switch {
		case m.Headers.Operation == "delete":
			delete(r.rows, id)
		case m.Value.Title != nil:
			r.rows[id] = *m.Value.Title
		}
	}
	r.pending = r.pending[:0]
	for a := range r.awaited {
		if a.met(r.rows) {
			delete(r.awaited, a)
			a.at <- now
		}
	}
	return nil
}

// clear forgets all rows: the log begins anew. What is awaited is not looked at
// until the client is up to date again.
func (r *replica) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.rows)
	r.pending = nil
}

// ids lists the rows that are held, in order.
func (r *replica) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.rows))
}

// should lists the rows that ought to be held, in order.
func (r *replica) should() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for id, now := range r.granted {
		if now {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// leaked lists what was received and not granted.
func (r *replica) leaked(person string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	leaks := make([]string, len(r.leaks))
	for i, text := range r.leaks {
		leaks[i] = person + ": " + text
	}
	return leaks
}
