package grantcache

import (
	"context"
	"fmt"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// confirmer asks SpiceDB whether grants are still held. It changes no entry: what is not
// held any more is touched, and asked for as after an event of the watch.
type confirmer struct {
	client    *client
	tables    *tables
	toucher   *toucher
	scheduler *scheduler
}

// confirm is authz.Subscription's Confirm.
func (c *confirmer) confirm(ctx context.Context, of *query, g authz.Grants, ids [][]string) (authz.Grants, error) {
	q, now := &of.q, time.Now()
	var checks []authz.Check
	ask := func(resource authz.ObjectRef, permission string) {
		checks = append(checks, authz.Check{
			Subject: q.Subject.ObjectRef, Resource: resource, Permission: permission,
			Context: contextAt(q.Context, q.Clock, now),
		})
	}
	if r := q.Rule.Gate; r != nil {
		ask(r.Resource, r.Permission)
	}
	everything := g.IsEverything() && len(q.Rule.Filters) > 0
	if r := q.Rule.Unrestricted; r != nil && everything {
		ask(r.Resource, r.Permission)
	}
	if !g.IsEverything() {
		ids = ids[:min(len(ids), len(q.Rule.Filters))]
		for i, f := range q.Rule.Filters[:len(ids)] {
			for _, id := range ids[i] {
				ask(authz.ObjectRef{Type: f.ResourceType, ID: id}, f.Permission)
			}
		}
	}
	if len(checks) == 0 {
		return g, nil
	}
	results, _, err := c.client.check(ctx, checks)
	if err != nil {
		return authz.Grants{}, err
	}
	return c.confirmed(of, g, ids, results)
}

// confirmed reads the results of confirm's checks, in the order that they were asked in.
// If a result may come later, there is no answer yet: all of it is Unavailable.
func (c *confirmer) confirmed(of *query, g authz.Grants, ids [][]string, results []authz.CheckResult) (authz.Grants, error) {
	q := &of.q
	for _, r := range results {
		if r.Err != nil && authz.KindOf(r.Err) == authz.Unavailable {
			return authz.Grants{}, r.Err
		}
	}
	next := func() (r authz.CheckResult) {
		r, results = results[0], results[1:]
		return r
	}
	if gate := q.Rule.Gate; gate != nil {
		if r := next(); r.Err != nil {
			return authz.Grants{}, fmt.Errorf("gate: %w", r.Err)
		} else if !r.Held {
			return authz.Grants{}, authz.E(authz.Denied, "gate", fmt.Errorf("%s does not have %s on %s", q.Subject, gate.Permission, gate.Resource))
		}
	}
	if g.IsEverything() {
		if len(q.Rule.Filters) == 0 || q.Rule.Unrestricted != nil && next().Held {
			return g, nil
		}
		return authz.Grants{}, nil
	}
	sets := make([]*authz.GrantSet, len(q.Rule.Filters))
	for i, held := range ids {
		var gone []string
		table := c.tables.of(q.Rule.Filters[i].ResourceType)
		sets[i] = authz.NewGrantSet(table, func(yield func(string) bool) {
			for _, id := range held {
				if !next().Held {
					gone = append(gone, id)
				} else if !yield(id) {
					return
				}
			}
		})
		c.touchGone(of, i, gone)
	}
	return authz.GrantsOf(sets...), nil
}

// touchGone has the entry of a filter asked for again about ids that are not held any more.
func (c *confirmer) touchGone(q *query, filter int, ids []string) {
	if len(ids) == 0 {
		return
	}
	q.shard.mu.Lock()
	if filter < len(q.filters) {
		c.toucher.gone(q.filters[filter], ids)
	}
	q.shard.mu.Unlock()
	c.scheduler.dispatch()
}
