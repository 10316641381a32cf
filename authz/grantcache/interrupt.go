package grantcache

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// past is what an entry lost. What was written while the subject did not hold an object
// is not the subject's to read, though the object may have been given back since.
type past struct {
	lost  []lostObject // of a lookup, oldest first
	floor time.Time    // of the newest that was forgotten

	// A check was deleted directly at one time, and was seen not to hold, or was
	// written again after it was deleted, at another.
	deleted, broken time.Time
	untold          bool // readers were not woken for broken yet
}

type lostObject struct {
	id string
	at time.Time
}

const (
	mostLost = 64 // objects of one entry

	lostSize = 48 // bytes, about
)

func (p *past) size() int64 { return int64(len(p.lost)) * lostSize }

// interrupt notes that a relationship of one object was deleted. The caller holds the
// lock of the entry's shard, so that no decision is made between the time that is noted
// and the touch that goes with it.
func (w *watcher) interrupt(e *entry, id string, now time.Time) {
	p := &e.past
	p.lost = append(p.lost, lostObject{id, now})
	w.c.memory.interrupted.Add(lostSize)
	for len(p.lost) > mostLost || len(p.lost) > 0 && w.c.memory.interrupted.Load() > w.c.memory.mostInterrupted {
		p.floor = p.lost[0].at
		p.lost = p.lost[1:]
		w.c.memory.interrupted.Add(-lostSize)
	}
}

// lostSince returns the ids of a lookup that were lost at or after a moment. A moment from
// before what is remembered interrupts everything.
func (e *entry) lostSince(since time.Time) *authz.GrantSet {
	p := &e.past
	set := e.value.set
	if set == nil {
		return nil
	}
	if !p.floor.IsZero() && !p.floor.Before(since) {
		return set
	}
	b := set.IDs().NewBuilder()
	for _, l := range p.lost {
		if !l.at.Before(since) {
			b.Add(l.id)
		}
	}
	return b.Build()
}

// Interrupted implements authz.Subscription.
func (s *subscription) Interrupted(since time.Time) (lost authz.Grants, ok bool) {
	since = since.Truncate(time.Microsecond)
	q := s.q
	q.shard.mu.Lock()
	defer q.shard.mu.Unlock()
	for _, e := range []*entry{q.gate, q.unrestricted} {
		if e != nil && !e.past.broken.IsZero() && !e.past.broken.Before(since) {
			return authz.Grants{}, false
		}
	}
	sets := make([]*authz.GrantSet, len(q.filters))
	for i, e := range q.filters {
		sets[i] = e.lostSince(since)
	}
	return authz.GrantsOf(sets...), true
}
