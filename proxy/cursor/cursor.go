package cursor

import (
	"math"
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Bounds of a cursor. What does not fit makes the client begin anew (409): always
// correct, only slower.
const (
	// MaxPending is how many resyncs of event streams may be unacknowledged.
	MaxPending = 4
	// MaxSteps is how many resyncs the log may not have passed yet, before one of them has
	// to take the place of all.
	MaxSteps = 8
	// MaxBefore is how many grants a step may name.
	MaxBefore = 12
	// MaxInterrupted is how many interrupted ids a step may name. With more, the step is
	// fresh.
	MaxInterrupted = 16
)

// passTime is how long a step is kept at most while the feed is healthy. The log's LSN
// does not move where nothing is written to a published table, so the LSN alone cannot
// show that the log has passed a step.
const passTime = time.Minute

// Grants names the grants of one reader: by their fingerprint, and by the revision of
// SpiceDB at which each set was confirmed, in the order of the rule's filters. With both,
// a process that does not remember the grants can look them up and prove that they are
// the same.
type Grants struct {
	Fingerprint authz.Fingerprint
	Tokens      []authz.ZedToken // none: they were left out
}

// Named returns the name of a decision's grants.
func Named(d authz.Decision) Grants { return Grants{d.Fingerprint, d.Tokens} }

// Cursor is all that is known of what a client holds, together with the offset that comes
// with it. It is a value: its methods return changed copies.
type Cursor struct {
	// Upstream is Electric's handle of the log.
	Upstream string

	// Base is where the cursor's log begins. Nothing before it may be read with this
	// cursor: what was written there may be from before a grant.
	Base electric.Offset

	// Served names the grants that the client surely was served, and At says what their
	// decision knows of.
	Served Grants
	At     authz.Moment

	// Pending are resyncs that went out in event streams and are not acknowledged, oldest
	// first. Only the last one can be acknowledged.
	Pending []Resync

	// Steps are the resyncs that the log may not have passed yet, oldest first.
	Steps []Step
}

// Resync is what brings a client from the grants that it was served to others.
type Resync struct {
	To Grants
	At authz.Moment // what the decision of To knows of

	// Fence is of the snapshot that brought rows. The zero fence says that the resync has
	// deletes alone, and no snapshot.
	Fence electric.Fence

	// Mark is, of a resync in an event stream, the LSN of the first up-to-date message
	// behind it, with a mark in its low bits, which Electric's own LSNs never use. A client
	// that comes back with it, or with a higher LSN, has the resync. 0 says that an offset
	// cannot show that any more, see Onward.
	Mark uint64

	// Interrupted are ids that are granted before and after and were not in between, by
	// filter. The resync brings their rows.
	Interrupted [][]string

	// Fresh says that the resync brought every row that is granted: nothing was kept.
	Fresh bool

	// Collapses says that the resync brought every row that is granted and was not kept
	// through all steps before it: it takes their place. ByKey says that an id is the key
	// of its row. Then the grants between the oldest step and this resync need no names:
	// the rows of ids that were lost in between were deleted by their keys.
	Collapses, ByKey bool
}

// Step is a resync that the client has, or that is pending, and whose snapshot has seen
// messages that the log may still bring.
type Step struct {
	// Before names the grants before the resync: first those that the client surely was
	// served, then those that it may have held besides. None before a first read.
	Before []Grants

	// Interrupted and Fresh are as in Resync.
	Interrupted [][]string
	Fresh       bool

	Fence electric.Fence
	At    time.Time
}

// FirstRead returns the cursor of a client that was given a snapshot of all rows that a
// decision permits. The log is read from base on, which is not after the snapshot. The zero
// fence says that no message of the log is older than the rows.
func FirstRead(upstream string, base electric.Offset, d authz.Decision, fence electric.Fence) Cursor {
	c := Now(upstream, base, d)
	if fence.XMax() == 0 {
		return c
	}
	c.Steps = []Step{{Fresh: true, Fence: fence, At: d.At.Time}}
	return c
}

// Now returns the cursor of a client that was given no rows and reads the log from base
// on.
func Now(upstream string, base electric.Offset, d authz.Decision) Cursor {
	return Cursor{Upstream: upstream, Base: base, Served: Named(d), At: d.At}
}

// Surely names the grants that the client surely was served.
func (c *Cursor) Surely() Grants { return c.Served }

// MayHold names the grants whose rows the client may hold, Surely first.
func (c *Cursor) MayHold() []Grants {
	all := []Grants{c.Served}
	for _, p := range c.Pending {
		all = append(all, p.To)
	}
	return all
}

// Unkept returns what the steps of pending resyncs did not keep: ids by filter, or all. What
// their snapshots have seen of it does not come with the log. So another resync has to bring
// it, also where nothing else says that it was interrupted.
func (c *Cursor) Unkept() (ids [][]string, all bool) {
	for _, p := range c.Pending {
		if p.Collapses {
			continue // it has no step yet
		}
		all = all || p.Fresh
		for i, of := range p.Interrupted {
			if i == len(ids) {
				ids = append(ids, nil)
			}
			ids[i] = append(ids[i], of...)
		}
	}
	return ids, all
}

// Resynced returns the cursor of a client that has a resync: of an answer that it adopts
// as a whole. It returns false if the cursor would be too large: then the client has to
// begin anew.
func (c Cursor) Resynced(r Resync) (Cursor, bool) {
	if r.Collapses && r.Fence.XMax() > 0 {
		var all []Grants
		for i, s := range c.Steps {
			if i == 0 || !r.ByKey {
				all = appendNew(all, s.Before)
			}
		}
		c.Steps = []Step{r.step(appendNew(all, c.MayHold()))}
	} else {
		c.Steps = c.stepped(r)
	}
	c.Served, c.At, c.Pending = r.To, r.At, nil
	return c, c.fits()
}

// step is that of a resync whose client may have held rows of some grants before.
func (r *Resync) step(before []Grants) Step {
	return Step{Before: before, Interrupted: r.Interrupted, Fresh: r.Fresh, Fence: r.Fence, At: r.At.Time}
}

// stepped returns the steps with that of a resync, if it has a snapshot.
func (c *Cursor) stepped(r Resync) []Step {
	if r.Fence.XMax() == 0 {
		return c.Steps
	}
	return append(slices.Clone(c.Steps), r.step(c.MayHold()))
}

// MustCollapse reports whether the next resync has to take the place of all steps.
func (c *Cursor) MustCollapse() bool { return len(c.Steps) >= MaxSteps }

// Offered returns the cursor of a client that is about to be sent a resync in an event
// stream. It may arrive or not: until the client acknowledges it, the resync is pending.
// Its step counts at once. Whether or not the client has it, what its snapshot has seen
// did not bring a row of what it gained. Only a resync that takes the place of all steps
// has to arrive first. Offered returns false if the cursor would be too large, now or once
// the client has the resync.
func (c Cursor) Offered(r Resync) (Cursor, bool) {
	_, fits := c.Resynced(r)
	if !r.Collapses {
		c.Steps = c.stepped(r)
		r.Fence, r.ByKey = electric.Fence{}, false
	}
	c.Pending = append(slices.Clone(c.Pending), r)
	return c, fits && c.fits()
}

// Acknowledge returns the cursor of a client that comes back with an offset, and whether
// it is another one. If the offset shows that the last pending resync has arrived, the
// client has it. It has passed the steps whose snapshots are older than the offset.
func (c Cursor) Acknowledge(offset electric.Offset) (_ Cursor, changed bool) {
	if !offset.IsPosition() {
		return c, false
	}
	if n := len(c.Pending); n > 0 && c.Pending[n-1].Mark > 0 && offset.LSN() >= c.Pending[n-1].Mark {
		last := c.Pending[n-1]
		c.Pending = c.Pending[:n-1]
		c, _ = c.Resynced(last) // Offered has seen that it fits
		changed = true
	}
	at := offset.Unmarked()
	c, passed := c.pass(at, func(s Step) bool { return s.Fence.LSN() > 0 && at.LSN() > s.Fence.LSN() })
	return c, changed || passed
}

// Onward returns the cursor for an answer that brings the client on in the log without
// the resync to a decision that it needs. The answer is filtered by the decision: it may
// take away rows that the client was served. So the decision becomes pending, as a resync
// that nothing acknowledges. Nor does a high offset show any more that an earlier pending
// resync has arrived. It returns false if too many are pending.
func (c Cursor) Onward(d authz.Decision) (Cursor, bool) {
	c.Pending = slices.Clone(c.Pending)
	for i := range c.Pending {
		c.Pending[i].Mark = 0
	}
	if !slices.ContainsFunc(c.MayHold(), func(g Grants) bool { return g.Fingerprint == d.Fingerprint }) {
		c.Pending = append(c.Pending, Resync{To: Named(d), At: d.At})
	}
	return c, c.fits()
}

// Confirmed returns the cursor with a newer confirmation of the same grants.
func (c Cursor) Confirmed(d authz.Decision) Cursor {
	c.Served, c.At = Named(d), d.At
	return c
}

// appendNew appends the grants that are not in the list.
func appendNew(all, more []Grants) []Grants {
	for _, g := range more {
		if !slices.ContainsFunc(all, func(h Grants) bool { return h.Fingerprint == g.Fingerprint }) {
			all = append(all, g)
		}
	}
	return all
}

// fits reports whether the cursor can be sealed, if need be without revisions.
func (c *Cursor) fits() bool {
	if len(c.Steps) > MaxSteps || len(c.Pending) > MaxPending {
		return false
	}
	if slices.ContainsFunc(c.Steps, func(s Step) bool { return !s.fits() }) {
		return false
	}
	const usual, none = 512, math.MaxInt
	return handleLen(len(encode(make([]byte, 0, usual), c, none))) <= MaxHandle
}

func (s *Step) fits() bool {
	n := 0
	for _, ids := range s.Interrupted {
		n += len(ids)
	}
	return len(s.Before) <= MaxBefore && n <= MaxInterrupted
}

// Pass returns the cursor without the steps that the log has passed, once everything up
// to an offset was read, and seen is the LSN that Electric has seen of the database. What
// is before the offset cannot be read again with the new cursor: no step is left that shows
// what is late.
func (c Cursor) Pass(at electric.Offset, seen uint64, now time.Time) Cursor {
	c, _ = c.pass(at, func(s Step) bool {
		return s.Fence.LSN() > 0 && seen >= s.Fence.LSN() || now.Sub(s.At) > passTime
	})
	return c
}

// pass returns the cursor without the steps that were passed at an offset, and whether there
// are any.
func (c Cursor) pass(at electric.Offset, isPassed func(Step) bool) (_ Cursor, any bool) {
	if !slices.ContainsFunc(c.Steps, isPassed) {
		return c, false
	}
	c.Steps = slices.DeleteFunc(slices.Clone(c.Steps), isPassed)
	if c.Base.Compare(at) < 0 {
		c.Base = at
	}
	return c, true
}

// Resume returns the offset from which the log is read for a client that comes with an
// offset, without its mark. An earlier one than Base is raised to it: an event stream's
// client resumes at the start of the last transaction that it was sent, which may be
// Base's own.
func (c *Cursor) Resume(offset electric.Offset) electric.Offset {
	if at := offset.Unmarked(); at.Compare(c.Base) > 0 {
		return at
	}
	return c.Base
}
