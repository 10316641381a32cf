package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// guardTime is how long a decision is good while an answer is written.
const guardTime = time.Second

// guard keeps the grants of an answer current while it is written. An answer names the
// grants that it was asked for with; of these it carries only what is permitted at the
// time of writing. What was lost meanwhile is left out.
type guard struct {
	access    *access
	named     authz.Decision // what the answer's handle names
	now       authz.Decision // the newest decision
	permitted authz.Grants   // of what is named
	regained  bool           // some of what is left out is granted now
	since     time.Time
}

// guardOf returns the guard of an answer with what was read before a decision.
func guardOf(a *access, d authz.Decision) *guard {
	return &guard{access: a, named: d, permitted: d.Grants, since: time.Now()}
}

// renew decides anew.
func (g *guard) renew(ctx context.Context) error {
	d, err := g.access.reauthorize(ctx)
	if err != nil {
		return err
	}
	g.since, g.now = time.Now(), d
	return g.narrow()
}

// narrow permits of what is named what is permitted now, and was all the time.
func (g *guard) narrow() error {
	g.permitted = g.named.Grants
	if g.now.Fingerprint != g.named.Fingerprint {
		g.permitted = g.named.Grants.And(g.now.Grants)
	}
	lost, ok := g.access.sub.Interrupted(g.named.At)
	if !ok {
		return errStaleHandle
	}
	lost = lost.And(g.permitted)
	if g.regained = !lost.IsEmpty(); g.regained {
		g.permitted = g.permitted.Minus(lost)
	}
	return nil
}

// isNarrowed reports whether less is permitted than the answer was asked for with.
func (g *guard) isNarrowed() bool { return !g.permitted.Equal(g.named.Grants) }

// leaveOut notes in the client's cursor what is left out of an answer that has not begun:
// the newest decision is pending, so that the next answer brings what it has and takes away
// what it has not.
func (g *guard) leaveOut(c *client) error {
	if !g.isNarrowed() {
		return nil
	}
	return c.onward(g.now)
}

// check decides anew if the last decision is too old, and reports whether it did.
func (g *guard) check(ctx context.Context) (renewed bool, err error) {
	if time.Since(g.since) < guardTime {
		return false, nil
	}
	return true, g.renew(ctx)
}

// errRowsChanged says that an answer of a collection of grants cannot be completed.
var errRowsChanged = &problem{kind: unavailable, message: "your permissions change too fast", cause: errLeftOut}

// stays decides anew if the last decision is too old. errRowsChanged says that less is
// permitted than when the answer began. A row of a collection says what is held and what is
// not: it cannot be left out any more, as a row of a table can. So the answer is cut, and the
// client asks again.
func (g *guard) stays(ctx context.Context, permitted authz.Grants) error {
	renewed, err := g.check(ctx)
	if err == nil && renewed && !g.permitted.Equal(permitted) {
		err = errRowsChanged
	}
	return err
}

// mostAsked is how often Electric is asked for the rows of one answer.
const mostAsked = 3

var errUnsettled = &problem{
	kind: unavailable, message: "your permissions change too fast",
	cause: errors.New("grants were taken away and given back whenever the answer was made"),
}

// settle has ask ask Electric for the rows that a decision permits, or for some of them,
// and decides anew when they are there. ask leaves in the decision the grants that it has
// asked for.
//
// An id may have been taken away and given back meanwhile: its rows may be from in between,
// when they were not the client's to read. They cannot be left out, since the handle names
// the id, and nobody would bring them later. So ask is called again, with the newer
// decision. So it is where a gate was lost for a moment, and with it all ids.
func (a *access) settle(ctx context.Context, d authz.Decision, ask func(*authz.Decision) error) (*guard, error) {
	g := &guard{access: a, now: d}
	for range mostAsked {
		g.named, g.since = g.now, time.Time{}
		if err := ask(&g.named); err != nil {
			return nil, err
		}
		err := g.renew(ctx)
		switch {
		case errors.Is(err, errStaleHandle) && !g.since.IsZero(): // decided, and what was lost has no names
		case err != nil || !g.regained:
			return g, err
		}
	}
	return nil, errUnsettled
}
