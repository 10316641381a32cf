package grantcache

import (
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// composedAt is a time with all that was heard before it in the decision.
func (q *query) composedAt(now time.Time) time.Time {
	at := now
	for e := range q.entries {
		if t := e.composedAt(now); t.Before(at) {
			at = t
		}
	}
	return at
}

// composedAt is the same for one entry's answer. An entry whose answer is known knows of its
// losses, though another entry's answer is still to come.
func (e *entry) composedAt(now time.Time) time.Time {
	if e.heard.isDirty() && !e.heard.since.IsZero() && !e.heard.since.After(now) {
		return e.heard.since.Add(-time.Microsecond)
	}
	return now
}

// moment is what a decision that is made now knows of: what was written before known, or
// before all entries were last asked for, and the losses that were heard of since. Losses
// from before, as long ago as another replica may hear late, are named too: it may hear of
// them after known.
func (q *query) moment(known time.Time, late time.Duration) authz.Moment {
	now := time.Now()
	at := q.composedAt(now)
	if asked := q.askedSince(); asked.After(known) {
		known = asked
	}
	if known.After(at) {
		known = at
	}
	m := authz.Moment{Time: known}
	heard := q.heardSince(&m, late, at, now)
	if more := len(heard) - authz.MostLosses; more > 0 {
		if newest := heard[more-1].at; !newest.Before(m.Time) && newest.Before(at) {
			m.Time = after(newest)
		}
		heard = heard[more:]
	}
	for _, l := range heard {
		m.Losses = append(m.Losses, l.name)
	}
	return m
}

// askedSince is a time with all that was written before it in every entry, by the last
// answer of SpiceDB to the entry as a whole. An answer may lack what was written a moment
// before it was asked for.
func (q *query) askedSince() (oldest time.Time) {
	first := true
	for e := range q.entries {
		if asked := e.value.asked; first || asked.Before(oldest) {
			oldest, first = asked, false
		}
	}
	return oldest.Add(-recheckAfter)
}

// heardSince returns the losses that were heard of from so long before a moment, and that the
// entries' answers know of now, oldest first. Where some of those since the moment are
// forgotten, the moment becomes a later one, but none after composed, see composedAt.
func (q *query) heardSince(m *authz.Moment, before time.Duration, composed, now time.Time) (heard []*loss) {
	for e := range q.entries {
		if f := e.past.floor; !f.IsZero() && !f.Before(m.Time) && !f.After(composed) {
			m.Time = after(f)
		}
	}
	since := m.Time.Add(-before)
	for e := range q.entries {
		known := e.composedAt(now)
		add := func(l *loss) {
			if !l.at.IsZero() && !l.at.Before(since) && !l.at.After(known) {
				heard = append(heard, l)
			}
		}
		add(&e.past.broken)
		for i := range e.past.lost {
			add(&e.past.lost[i])
		}
	}
	slices.SortFunc(heard, func(a, b *loss) int { return a.at.Compare(b.at) })
	return heard
}

// after is the first time after another one that a handle can name: it has microseconds.
func after(t time.Time) time.Time { return t.Truncate(time.Microsecond).Add(time.Microsecond) }
