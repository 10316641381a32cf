package grantcache

import (
	"context"
	"fmt"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// Confirm implements authz.Subscription.
func (s *subscription) Confirm(ctx context.Context, g authz.Grants, ids [][]string) (authz.Grants, error) {
	q, now := &s.q.q, time.Now()
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
		for i, of := range ids {
			f := q.Rule.Filters[i]
			for _, id := range of {
				ask(authz.ObjectRef{Type: f.ResourceType, ID: id}, f.Permission)
			}
		}
	}
	if len(checks) == 0 {
		return g, nil
	}
	results, _, err := s.c.client.check(ctx, checks)
	if err != nil {
		return authz.Grants{}, err
	}
	return s.confirmed(g, ids, results)
}

// confirmed reads the results of Confirm's checks, in the order that they were asked in.
// If a result may come later, there is no answer yet: all of it is Unavailable.
func (s *subscription) confirmed(g authz.Grants, ids [][]string, results []authz.CheckResult) (authz.Grants, error) {
	q := &s.q.q
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
	for i, of := range ids {
		var gone []string
		table := s.c.tables.of(q.Rule.Filters[i].ResourceType)
		sets[i] = authz.NewGrantSet(table, func(yield func(string) bool) {
			for _, id := range of {
				if !next().Held {
					gone = append(gone, id)
				} else if !yield(id) {
					return
				}
			}
		})
		s.heardGone(i, gone)
	}
	return authz.GrantsOf(sets...), nil
}

// heardGone has the entry of a filter asked for again about ids that SpiceDB says are not
// held any more. The watch is about to say so too; but the ids may be given back before it
// does, and what was not sent meanwhile has to be brought then.
func (s *subscription) heardGone(filter int, ids []string) {
	if len(ids) == 0 {
		return
	}
	gone := &scope{objects: make(map[string]change, len(ids))}
	for _, id := range ids {
		gone.objects[id] = change{deleted: true}
	}
	number := s.c.touches.Add(1)
	s.q.shard.mu.Lock()
	if filter < len(s.q.filters) {
		if e := s.q.filters[filter]; s.c.watcher.touch(e, gone, number, nil) && e.inUse() {
			s.c.debouncer.refresh(e)
		}
	}
	s.q.shard.mu.Unlock()
	s.c.scheduler.dispatch()
}
