package grantcache

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
)

// settler puts SpiceDB's answers into entries. An answer never takes the place of one that
// was asked for later, nor answers a touch that came after it was asked for. What an
// entry held and does not hold any more is noted as a loss. It asks nothing and wakes
// nobody.
type settler struct {
	touches *atomic.Uint64
	losses  *losses
	space   *space
	changes prometheus.Counter
}

// lookup puts the answer of a lookup in place of the old one, and reports whether
// readers have to hear of it. The caller holds the shard's lock.
func (s *settler) lookup(k *call, set *authz.GrantSet, token authz.ZedToken) (changed bool) {
	e, v := k.e, &k.e.value
	if len(e.queries) == 0 {
		return false // it was dropped meanwhile
	}
	// Objects that were asked about later are as those answers say.
	for _, a := range v.answers.list {
		if a.began > k.number {
			set = with(set, a.id, a.held)
		}
	}
	if v.answers.forgotten > k.number {
		e.heard.whole = s.touches.Add(1) // there were others, which are not known any more
	}
	v.answers.trim(mostAnswers)
	interrupted := e.heard.cover(k.number)
	for id := range interrupted {
		changed = changed || set.Has(id)
	}
	differs := !v.valid || !set.Equal(v.set)
	if differs && v.valid {
		s.changes.Inc()
		gone := v.set.Difference(set)
		v.recent.note(gone)
		v.recent.note(set.Difference(v.set))
		s.lose(e, gone, interrupted)
	}
	if v.valid && !differs && v.set.IDs() == set.IDs() {
		set = v.set
	}
	s.replace(e, set)
	v.valid, v.failure, v.asked = true, nil, k.began
	v.confirmed(token, k.began)
	return changed || differs
}

// lose notes what a lookup's answer has taken away. Objects that were interrupted keep the
// names of their losses.
func (s *settler) lose(e *entry, gone *authz.GrantSet, interrupted map[string]authz.Loss) {
	now := time.Now()
	for id, name := range interrupted {
		if gone.Has(id) {
			s.losses.interrupt(e, id, name, now)
			gone = gone.Without(id)
		}
	}
	s.losses.loseWhole(e, gone, now)
}

// failure notes that SpiceDB cannot evaluate the answer: nothing is held. The caller holds
// the shard's lock.
func (s *settler) failure(k *call, err error) (changed bool) {
	e, v := k.e, &k.e.value
	changed = !v.valid || v.failure == nil
	if len(e.queries) > 0 {
		s.losses.loseWhole(e, v.set, time.Now())
	}
	s.replace(e, nil)
	if !e.isLookup() {
		v.held = false
		e.past.noteNotHeld(nameLoss(e.heard.event, e, ""), time.Now())
	}
	v.valid, v.failure, v.asked = true, err, k.began
	e.heard.cover(k.number)
	return changed
}

// check puts the answer of a check in place of the old one. The caller holds the
// shard's lock.
func (s *settler) check(e *entry, result authz.CheckResult, number uint64, began time.Time, token authz.ZedToken) (changed bool) {
	v := &e.value
	if number < e.heard.covered {
		return false // a newer answer is known
	}
	e.heard.covered = number
	if !result.Held {
		e.past.noteNotHeld(nameLoss(e.heard.event, e, ""), time.Now())
	}
	untold := e.past.tell()
	changed = untold || !v.valid || v.held != result.Held || (v.failure == nil) != (result.Err == nil)
	v.valid, v.held, v.failure, v.asked = true, result.Held, result.Err, began
	v.confirmed(token, began)
	return changed
}

// object puts the answer about one object of a lookup in place of the old one. The
// caller holds the shard's lock.
func (s *settler) object(e *entry, id string, held bool, number uint64, token authz.ZedToken) (changed bool) {
	v := &e.value
	t, touched := e.heard.objects[id]
	newest, known := v.answers.put(id, held, number, e.calls.running)
	if touched && t.number <= number {
		if !newest && !known {
			// Another answer, which is not remembered, may be newer: ask again.
			e.heard.objects[id] = touch{number: t.number, interrupted: t.interrupted, loss: t.loss}
			return false
		}
		delete(e.heard.objects, id)
		changed = t.interrupted && held
	}
	if !newest || !v.valid || v.failure != nil || number < e.heard.covered {
		return changed
	}
	v.confirmed(token, time.Now())
	if v.set.Has(id) == held {
		return changed
	}
	if !held {
		if !t.interrupted {
			t.loss = nameLoss("", e, id)
		}
		s.losses.interrupt(e, id, t.loss, time.Now())
	}
	s.replace(e, with(v.set, id, held))
	v.recent.noteOne(id)
	s.changes.Inc()
	return true
}

func with(set *authz.GrantSet, id string, held bool) *authz.GrantSet {
	if held {
		return set.With(id)
	}
	return set.Without(id)
}

// replace puts a set in place of an entry's, which changes no answer if they are equal.
// The caller holds the shard's lock.
func (s *settler) replace(e *entry, set *authz.GrantSet) {
	if len(e.queries) == 0 {
		return // it was dropped
	}
	s.space.sets.Add(int64(set.Size() - e.value.set.Size()))
	e.value.set = set
	for q := range e.queries {
		q.last.isStale = true
	}
}
