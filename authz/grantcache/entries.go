package grantcache

import (
	"context"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
)

// entries makes the entries that queries depend on, and drops those that none does.
type entries struct {
	schema  *schema
	touches *atomic.Uint64
	space   *space
	losses  *losses
	count   prometheus.Gauge
}

// checks returns the entries of the gate and of unrestricted, either of which may be nil.
func (s *entries) checks(ctx context.Context, q *query) (gate, unrestricted *entry, err error) {
	if gate, err = s.check(ctx, q, q.q.Rule.Gate, &q.gate); err != nil {
		return nil, nil, err
	}
	// Without a filter the gate is all that is asked: it lets every row be seen.
	if len(q.q.Rule.Filters) == 0 {
		return gate, nil, nil
	}
	unrestricted, err = s.check(ctx, q, q.q.Rule.Unrestricted, &q.unrestricted)
	if err != nil && authz.KindOf(err) == authz.Unanswerable {
		return gate, nil, nil // a permission that does not exist makes no subject unrestricted
	}
	return gate, unrestricted, err
}

func (s *entries) check(ctx context.Context, q *query, r *authz.Requirement, slot **entry) (*entry, error) {
	if r == nil {
		return nil, nil //nolint:nilnil // nothing is required, so there is no entry
	}
	p, err := s.schema.permissionOf(ctx, permissionKey{r.Resource.Type, r.Permission})
	if err != nil {
		return nil, err
	}
	q.shard.mu.Lock()
	defer q.shard.mu.Unlock()
	if *slot == nil {
		*slot = s.depend(q, p, r.Resource.ID)
	}
	return *slot, nil
}

// filters returns the entries of the filters. Filters that differ in nothing that SpiceDB
// knows of (a shape may compare two columns with the same permission) share one.
func (s *entries) filters(ctx context.Context, q *query) ([]*entry, error) {
	permissions := make([]*permission, len(q.q.Rule.Filters))
	for i, f := range q.q.Rule.Filters {
		var err error
		if permissions[i], err = s.schema.permissionOf(ctx, permissionKey{f.ResourceType, f.Permission}); err != nil {
			return nil, err
		}
	}
	q.shard.mu.Lock()
	defer q.shard.mu.Unlock()
	if q.filters == nil {
		q.filters = make([]*entry, len(permissions))
		for i, p := range permissions {
			q.filters[i] = s.depend(q, p, "")
		}
	}
	return q.filters, nil
}

// depend returns the entry of a key, which from now on a query depends on. The caller
// holds the shard's lock.
func (s *entries) depend(q *query, p *permission, resource string) *entry {
	key := entryKey{subject: q.q.Subject.ObjectRef, permission: p.permissionKey, resource: resource, values: q.values}
	e, ok := q.shard.entries[key]
	if !ok {
		e = &entry{
			entryKey: key, shard: q.shard, permission: p, context: q.q.Context, clock: q.q.Clock,
			queries: make(map[*query]struct{}),
			heard:   heard{whole: s.touches.Add(1), wholeAt: p.lastTouched(), objects: make(map[string]touch)},
			calls:   calls{done: make(chan struct{})},
		}
		q.shard.add(e)
		s.count.Inc()
	}
	e.queries[q] = struct{}{}
	return e
}

// leave ends that a query depends on entries. The caller holds the shard's lock.
func (s *entries) leave(q *query) {
	for e := range q.entries {
		_, depends := e.queries[q] // not any more, the second time, where filters share it
		if delete(e.queries, q); !depends || len(e.queries) > 0 {
			continue
		}
		e.shard.remove(e)
		s.count.Dec()
		s.space.sets.Add(-int64(e.value.set.Size()))
		s.losses.drop(e)
	}
}
