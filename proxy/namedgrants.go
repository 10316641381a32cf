package proxy

import (
	"context"
	"errors"
	"slices"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// namedGrants are the grants that a client's cursor names, and what follows from them: what
// the client has, what it may have besides, and the filter of a part of the log. They are
// recalled from memory or from SpiceDB, beside the decision of the moment.
//
// Errors are errStaleHandle where grants cannot be had any more, and those of
// authz.Subscription.Recall.
type namedGrants struct {
	sub    authz.Subscription
	client *client
	rule   *rowfilter.Rule
}

// isServed reports whether the client has what a decision permits and nothing else: the
// grants have not changed, and no resync is pending.
func (n *namedGrants) isServed(d authz.Decision) (bool, error) {
	lost, err := n.interrupted()
	c := &n.client.cursor
	if err != nil || len(c.Pending) > 0 || c.Served.Fingerprint != d.Fingerprint {
		return false, err
	}
	return lost.IsEmpty() || lost.And(d.Grants).IsEmpty(), nil
}

// interrupted returns the ids that were taken away from the client for a while since its
// grants were decided.
func (n *namedGrants) interrupted() (authz.Grants, error) {
	lost, ok := n.sub.Interrupted(n.client.cursor.At)
	if !ok {
		return lost, errStaleHandle
	}
	return lost, nil
}

// surely returns the grants that the client surely was served.
func (n *namedGrants) surely(ctx context.Context, d authz.Decision) (authz.Grants, error) {
	return n.recall(ctx, d, n.client.cursor.Surely())
}

// mayHold returns the grants that the client may hold rows of, those that it surely was
// served first.
func (n *namedGrants) mayHold(ctx context.Context, d authz.Decision) ([]authz.Grants, error) {
	return n.recallAll(ctx, d, n.client.cursor.MayHold())
}

func (n *namedGrants) recall(ctx context.Context, d authz.Decision, g cursor.Grants) (authz.Grants, error) {
	if g.Fingerprint == d.Fingerprint {
		return d.Grants, nil
	}
	grants, err := n.sub.Recall(ctx, g.Fingerprint, g.Tokens)
	if errors.Is(err, authz.ErrForgotten) {
		return grants, errStaleHandle
	}
	return grants, err
}

func (n *namedGrants) recallAll(ctx context.Context, d authz.Decision, names []cursor.Grants) ([]authz.Grants, error) {
	all := make([]authz.Grants, len(names))
	for i, g := range names {
		var err error
		if all[i], err = n.recall(ctx, d, g); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// steps returns the cursor's steps with their grants, for a client that was served some.
func (n *namedGrants) steps(ctx context.Context, d authz.Decision, served authz.Grants) ([]rowfilter.Step, error) {
	named := n.client.cursor.Steps
	steps := make([]rowfilter.Step, len(named))
	after := served
	for i := len(named) - 1; i >= 0; i-- {
		held, err := n.recallAll(ctx, d, named[i].Before)
		if err != nil {
			return nil, err
		}
		steps[i] = rowfilter.Step{Fence: named[i].Fence, Held: held}
		var before authz.Grants
		if len(held) > 0 {
			before = held[0]
		}
		if !named[i].Fresh {
			steps[i].Kept = before.And(after).Minus(grantsOfIDs(after, named[i].Interrupted))
		}
		after = before
	}
	return steps, nil
}

// filter returns the filter of a part of the log, whether the client was served what a
// decision permits or not.
func (n *namedGrants) filter(ctx context.Context, d authz.Decision, p *feed.Part, served bool) (*rowfilter.Filter, error) {
	if served && !n.client.mayBeLate(p) {
		return rowfilter.Steady(n.rule, d.Grants), nil
	}
	if served {
		return n.filterOf(ctx, d, []authz.Grants{d.Grants}, authz.Grants{})
	}
	lost, err := n.interrupted()
	if err != nil {
		return nil, err
	}
	held, err := n.mayHold(ctx, d)
	if err != nil {
		return nil, err
	}
	return n.filterOf(ctx, d, held, lost)
}

// filterOf returns the filter of messages that may be late. held are the grants that the
// client may hold rows of, those that it was served first. lost are ids that were taken away
// for a while: what was written meanwhile is not for the client, though it may hold their
// rows.
func (n *namedGrants) filterOf(ctx context.Context, d authz.Decision, held []authz.Grants, lost authz.Grants) (*rowfilter.Filter, error) {
	steps, err := n.steps(ctx, d, held[0])
	if err != nil {
		return nil, err
	}
	return rowfilter.New(n.rule, d.Grants, held[0], held[1:], steps).Interrupted(lost), nil
}

// idsOf returns the ids that grants hold for a number of filters, or nil if they are more
// than most.
func idsOf(g authz.Grants, filters, most int) [][]string {
	ids := make([][]string, filters)
	n := 0
	for i := range ids {
		if n += g.Set(i).Len(); n > most || g.IsEverything() {
			return nil
		}
		ids[i] = slices.Collect(g.Set(i).All())
	}
	if n == 0 {
		return nil
	}
	return ids
}

// grantsOfIDs returns the ids, by filter, that grants hold.
func grantsOfIDs(g authz.Grants, ids [][]string) authz.Grants {
	if len(ids) == 0 {
		return authz.Grants{}
	}
	sets := make([]*authz.GrantSet, len(ids))
	for i, of := range ids {
		if table := g.Set(i).IDs(); table != nil {
			sets[i] = authz.NewGrantSet(table, slices.Values(of))
		}
	}
	return authz.GrantsOf(sets...)
}
