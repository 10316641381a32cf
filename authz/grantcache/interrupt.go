package grantcache

import (
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// past is what an entry lost. What was written while the subject did not hold an object
// is not the subject's to read, though the object may have been given back since.
type past struct {
	lost  []loss    // of a lookup, oldest first
	floor time.Time // of the newest loss that was forgotten

	// A check was deleted directly at one time, and was seen not to hold, or was
	// written again after it was deleted, at another.
	deleted time.Time
	broken  loss // the last such loss, without ids; its time is zero if there was none
	untold  bool // readers were not woken for broken yet
}

// loss is objects that an entry lost at one time: the watch heard that a relationship of
// the one object was deleted, or SpiceDB's answer did not have them any more.
type loss struct {
	ids  *authz.GrantSet
	at   time.Time
	name authz.Loss
}

func (l *loss) size() int64 { return int64(l.ids.Size()) }

// isSince reports whether a decision of a moment does not know of the loss.
func (l *loss) isSince(m authz.Moment) bool {
	return !l.at.Before(m.Time) && !slices.Contains(m.Losses, l.name)
}

// nameLoss names what an entry loses by an event of the watch: of one object, or as a
// whole. Every replica hears of the same event, and so has the same name. Without an event
// the name is one that no other replica has.
func nameLoss(event authz.ZedToken, e *entry, id string) authz.Loss {
	if event == "" {
		return authz.Loss(rand.Uint32()) //nolint:gosec // a name, and no secret
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, string(event)+"\x00"+e.permission.String()+"\x00"+e.resource+"\x00"+id) // never fails
	return authz.Loss(h.Sum32())
}

const (
	// mostLost is how many losses one entry remembers.
	mostLost = 64

	// lossAge is how long a loss is remembered. All entries share the memory for losses,
	// and an entry may be there for weeks.
	lossAge = tokenAge + tokenAge/2
)

func (p *past) size() (n int64) {
	for i := range p.lost {
		n += p.lost[i].size()
	}
	return n
}

// hasLost reports whether an object is among what was lost. An answer may have seen that it
// was given back and lost once more, which the watch is about to bring.
func (p *past) hasLost(id string) bool {
	return slices.ContainsFunc(p.lost, func(l loss) bool { return l.ids.Has(id) })
}

// losses notes what entries lose. All entries share its budget: where there is no room, the
// oldest losses of the entry that loses something are forgotten.
type losses struct {
	most  int64 // bytes
	bytes atomic.Int64
}

// interrupt notes that an object was lost that the entry has. The caller holds the lock of
// the entry's shard, so that no decision is made between the time that is noted and the
// change of the entry that goes with it.
func (l *losses) interrupt(e *entry, id string, name authz.Loss, now time.Time) {
	if ids := e.value.set.IDs(); ids != nil {
		l.lose(e, authz.NewGrantSet(ids, slices.Values([]string{id})), name, now)
	}
}

// lose is interrupt for several objects.
func (l *losses) lose(e *entry, ids *authz.GrantSet, name authz.Loss, now time.Time) {
	if ids.Len() == 0 {
		return
	}
	p := &e.past
	p.lost = append(p.lost, loss{ids, now, name})
	l.bytes.Add(p.lost[len(p.lost)-1].size())
	for len(p.lost) > mostLost || len(p.lost) > 0 && l.bytes.Load() > l.most {
		l.forgetOldest(p)
	}
}

// loseWhole is lose for what an answer as a whole took away. It has the name of the event
// that touched the entry, once: what is lost after that, by another event that was not
// heard of yet, is not known to the decisions that know of this loss.
func (l *losses) loseWhole(e *entry, ids *authz.GrantSet, now time.Time) {
	if ids.Len() == 0 {
		return
	}
	l.lose(e, ids, nameLoss(e.heard.event, e, ""), now)
	e.heard.event = ""
}

// forgetOldest forgets the oldest loss. The caller holds the lock of the entry's shard.
func (l *losses) forgetOldest(p *past) {
	p.floor = p.lost[0].at
	l.bytes.Add(-p.lost[0].size())
	p.lost = p.lost[1:]
}

// forgetOld forgets the losses that no handle in use is from before: a reader's handle
// names a decision that is not older than tokenAge. One that comes back after longer may
// find everything interrupted. The caller holds the lock of the entry's shard.
func (l *losses) forgetOld(e *entry, now time.Time) {
	for p := &e.past; len(p.lost) > 0 && now.Sub(p.lost[0].at) > lossAge; {
		l.forgetOldest(p)
	}
}

// drop gives back what the losses of an entry take that is not kept any more.
func (l *losses) drop(e *entry) { l.bytes.Add(-e.past.size()) }

// lostSince returns the ids of a lookup that were lost and that a decision of a moment does
// not know of. A moment from before what is remembered interrupts everything.
func (e *entry) lostSince(since authz.Moment) (ids *authz.GrantSet) {
	p := &e.past
	if !p.floor.IsZero() && !p.floor.Before(since.Time) {
		return e.value.set
	}
	for i := range p.lost {
		if p.lost[i].isSince(since) {
			ids = ids.Union(p.lost[i].ids)
		}
	}
	return ids
}

// noteCheck notes a relationship of the object that a check is of. If it was deleted and
// then written again soon, the check may not have held for a time, whatever SpiceDB said
// in between: it may have seen the write before the watch brought it.
func (p *past) noteCheck(c change, name authz.Loss, isHeld bool, now time.Time, soon time.Duration) {
	switch {
	case c.deleted && !c.written:
		p.deleted = now
	case !isHeld: // SpiceDB has said so in between, and the settler has noted it
	case c.written && !c.deleted && now.Sub(p.deleted) < soon:
		p.broken, p.deleted, p.untold = loss{at: now, name: name}, time.Time{}, true
	}
}

// noteNotHeld notes that SpiceDB said that a check does not hold.
func (p *past) noteNotHeld(name authz.Loss, now time.Time) { p.broken = loss{at: now, name: name} }

// tell reports, once, that readers were not woken for a break yet.
func (p *past) tell() (untold bool) {
	untold, p.untold = p.untold, false
	return untold
}

// interrupted returns what was lost and a decision of a moment does not know of, see
// authz.Subscription. A moment that came through a handle has microseconds.
func (q *query) interrupted(since authz.Moment) (lost authz.Grants, ok bool) {
	since.Time = since.Time.Truncate(time.Microsecond)
	q.shard.mu.Lock()
	defer q.shard.mu.Unlock()
	for _, e := range []*entry{q.gate, q.unrestricted} {
		// A requirement that does not hold now is no matter: without the gate there is no
		// decision, and a subject that is not unrestricted is served by its filters.
		if e != nil && e.value.held && !e.past.broken.at.IsZero() && e.past.broken.isSince(since) {
			return authz.Grants{}, false
		}
	}
	sets := make([]*authz.GrantSet, len(q.filters))
	for i, e := range q.filters {
		sets[i] = e.lostSince(since)
	}
	return authz.GrantsOf(sets...), true
}
