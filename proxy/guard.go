package proxy

import (
	"context"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// guardTime is how long a decision is good while an answer is written.
const guardTime = time.Second

// guard keeps the grants of an answer current while it is written. An answer names the
// grants that it was asked for with; of these it carries only what is permitted at the
// time of writing. What was lost meanwhile is left out, and since the handle still names
// it, the next answer deletes it.
type guard struct {
	access    *access
	named     authz.Decision // what the answer's handle names
	permitted authz.Grants
	since     time.Time
}

// newGuard decides anew: the caller has just asked Electric for something.
func newGuard(ctx context.Context, a *access, named authz.Decision) (*guard, error) {
	g := &guard{access: a, named: named}
	return g, g.renew(ctx)
}

// renew decides anew.
func (g *guard) renew(ctx context.Context) error {
	d, err := g.access.reauthorize(ctx)
	if err != nil {
		return err
	}
	g.since = time.Now()
	g.permitted = g.named.Grants
	if d.Fingerprint != g.named.Fingerprint {
		g.permitted = g.named.Grants.And(d.Grants)
	}
	lost, ok := g.access.sub.Interrupted(g.named.At)
	if !ok {
		return errStaleHandle
	}
	if !lost.IsEmpty() {
		g.permitted = g.permitted.Minus(lost)
	}
	return nil
}

// isNarrowed reports whether less is permitted than the answer was asked for with.
func (g *guard) isNarrowed() bool { return !g.permitted.Equal(g.named.Grants) }

// check decides anew if the last decision is too old, and reports whether it did.
func (g *guard) check(ctx context.Context) (renewed bool, err error) {
	if time.Since(g.since) < guardTime {
		return false, nil
	}
	return true, g.renew(ctx)
}
