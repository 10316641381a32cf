package grantcache

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// query is one question and the entries that it depends on. It lasts as long as a reader
// is subscribed to it, and for Config.Idle after that. The shard's lock guards it, but
// for the question.
type query struct {
	q      authz.Question
	key    string
	values string // the question's caveat context, see contextKey
	shard  *shard

	gate, unrestricted *entry
	filters            []*entry // nil until they had to be asked for

	readers int
	idle    time.Time // since when there is no reader
	changed chan struct{}
	last    composed
	fresh   [4]authz.ZedToken // some tokens that the entries are as fresh as
}

// composed is the last decision, as long as the entries are as they were.
type composed struct {
	grants      authz.Grants
	fingerprint authz.Fingerprint
	isStale     bool
}

var errFull = errors.New("too many questions, or too much memory in grant sets, at the same time")

// Subscribe returns a subscription to a question. It asks SpiceDB nothing yet. Errors are
// Invalid: a subject that SpiceDB would not accept, a rule that guards nothing; and
// Unavailable where too many questions are kept. The caller releases the subscription.
func (c *Cache) Subscribe(question authz.Question) (authz.Subscription, error) {
	if err := question.Validate(); err != nil {
		return nil, err
	}
	values, err := contextKey(question.Context, question.Clock)
	if err != nil {
		return nil, authz.E(authz.Invalid, "caveat context", err)
	}
	key := queryKey(&question, values)
	s := c.shards.of(question.Subject.ObjectRef)
	if c.space.isFull() {
		c.dropIdle(0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.queries[key]
	if !ok {
		if c.space.isFull() {
			return nil, authz.E(authz.Unavailable, "subscribe", errFull)
		}
		q = &query{q: question, key: key, values: values, shard: s, changed: make(chan struct{}), last: composed{isStale: true}}
		s.queries[key] = q
		c.space.questions.Add(1)
	}
	q.readers++
	return &subscription{c: c, q: q}, nil
}

// queryKey spells a question so that equal questions, and no others, are spelled alike.
// No part can hold the separator: names and ids by SpiceDB's rules, and JSON by its own.
// The label is last.
func queryKey(q *authz.Question, values string) string {
	key := q.Subject.String() + "\x00" + values
	for _, r := range []*authz.Requirement{q.Rule.Gate, q.Rule.Unrestricted} {
		key += "\x00"
		if r != nil {
			key += r.Resource.String() + "#" + r.Permission
		}
	}
	for _, f := range q.Rule.Filters {
		key += "\x00" + f.ResourceType + "#" + f.Permission
	}
	return key + "\x00\x00" + q.Rule.Label
}

// notify wakes the readers. The caller holds the shard's lock.
func (q *query) notify() {
	q.last.isStale = true
	close(q.changed)
	q.changed = make(chan struct{})
}

// entries are those that the query depends on so far. The caller holds the shard's lock.
func (q *query) entries() []*entry {
	all := make([]*entry, 0, 2+len(q.filters))
	for _, e := range append([]*entry{q.gate, q.unrestricted}, q.filters...) {
		if e != nil {
			all = append(all, e)
		}
	}
	return all
}

// isAsFreshAs reports whether the entries have seen what a token's revision has. The
// caller holds the shard's lock.
func (q *query) isAsFreshAs(t authz.ZedToken) bool {
	return t == "" || slices.Contains(q.fresh[:], t)
}

func (q *query) becameAsFreshAs(t authz.ZedToken) {
	if !q.isAsFreshAs(t) {
		copy(q.fresh[1:], q.fresh[:])
		q.fresh[0] = t
	}
}

// checkEntries returns the entries of the gate and of unrestricted, either of which may
// be nil.
func (c *Cache) checkEntries(ctx context.Context, q *query) (gate, unrestricted *entry, err error) {
	if gate, err = c.checkEntry(ctx, q, q.q.Rule.Gate, &q.gate); err != nil {
		return nil, nil, err
	}
	// Without a filter the gate is all that is asked: it lets every row be seen.
	if len(q.q.Rule.Filters) == 0 {
		return gate, nil, nil
	}
	unrestricted, err = c.checkEntry(ctx, q, q.q.Rule.Unrestricted, &q.unrestricted)
	if err != nil && authz.KindOf(err) == authz.Unanswerable {
		return gate, nil, nil // a permission that does not exist makes no subject unrestricted
	}
	return gate, unrestricted, err
}

func (c *Cache) checkEntry(ctx context.Context, q *query, r *authz.Requirement, slot **entry) (*entry, error) {
	if r == nil {
		return nil, nil //nolint:nilnil // nothing is required, so there is no entry
	}
	p, err := c.schema.permissionOf(ctx, permissionKey{r.Resource.Type, r.Permission})
	if err != nil {
		return nil, err
	}
	q.shard.mu.Lock()
	defer q.shard.mu.Unlock()
	if *slot == nil {
		*slot = c.depend(q, p, r.Resource.ID)
	}
	return *slot, nil
}

// filterEntries returns the entries of the filters. Filters that differ in nothing that
// SpiceDB knows of (a shape may compare two columns with the same permission) share one.
func (c *Cache) filterEntries(ctx context.Context, q *query) ([]*entry, error) {
	permissions := make([]*permission, len(q.q.Rule.Filters))
	for i, f := range q.q.Rule.Filters {
		var err error
		if permissions[i], err = c.schema.permissionOf(ctx, permissionKey{f.ResourceType, f.Permission}); err != nil {
			return nil, err
		}
	}
	q.shard.mu.Lock()
	defer q.shard.mu.Unlock()
	if q.filters == nil {
		q.filters = make([]*entry, len(permissions))
		for i, p := range permissions {
			q.filters[i] = c.depend(q, p, "")
		}
	}
	return q.filters, nil
}

// dropIdle ends the queries that have had no reader for a time.
func (c *Cache) dropIdle(idle time.Duration) {
	now := time.Now()
	c.shards.each(func(s *shard) {
		for _, q := range s.queries {
			if q.readers == 0 && now.Sub(q.idle) >= idle {
				c.drop(q)
			}
		}
	})
}

// drop ends a query that has no reader. The caller holds the shard's lock.
func (c *Cache) drop(q *query) {
	delete(q.shard.queries, q.key)
	c.space.questions.Add(-1)
	for _, e := range q.entries() {
		c.undepend(q, e)
	}
}
