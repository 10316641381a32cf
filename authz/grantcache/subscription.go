package grantcache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// subscription implements authz.Subscription.
type subscription struct {
	c *Cache
	q *query

	release sync.Once
}

// Release implements authz.Subscription.
func (s *subscription) Release() {
	s.release.Do(func() {
		s.q.shard.mu.Lock()
		defer s.q.shard.mu.Unlock()
		s.q.readers--
		s.q.idle = time.Now()
	})
}

// Changed implements authz.Subscription.
func (s *subscription) Changed() <-chan struct{} {
	s.q.shard.mu.Lock()
	defer s.q.shard.mu.Unlock()
	return s.q.changed
}

// Decide implements authz.Subscription.
//
// A lookup may cost a thousand times as much as a check, so none starts before the
// checks have shown that it is needed.
func (s *subscription) Decide(ctx context.Context, consistency authz.Consistency, fresh authz.ZedToken) (authz.Decision, error) {
	if consistency == authz.Bounded {
		if d, err := s.cached(fresh); !errors.Is(err, errAsk) {
			return d, err
		}
	}
	if s.isAsFreshAs(fresh) {
		return s.ask(ctx, consistency == authz.Strict)
	}
	done, err := s.c.recalls.admit(ctx, s.q.q.Subject.ObjectRef)
	if err != nil {
		return authz.Decision{}, err
	}
	defer done()
	if err := s.c.cfg.Engine.Reach(ctx, fresh); err != nil {
		return authz.Decision{}, err
	}
	d, err := s.ask(ctx, true)
	if err == nil {
		s.q.shard.mu.Lock()
		s.q.becameAsFreshAs(fresh)
		s.q.shard.mu.Unlock()
	}
	return d, err
}

func (s *subscription) isAsFreshAs(fresh authz.ZedToken) bool {
	s.q.shard.mu.Lock()
	defer s.q.shard.mu.Unlock()
	return s.q.isAsFreshAs(fresh)
}

// errAsk says that SpiceDB has to be asked.
var errAsk = errors.New("not cached")

// cached answers from entries as they are; errAsk if some have to be asked for. Freshness
// is looked at first: what the watch hears afterwards only makes the answer newer.
func (s *subscription) cached(fresh authz.ZedToken) (authz.Decision, error) {
	now := time.Now()
	isCurrent := s.c.freshness.isCurrent(now)
	s.q.shard.mu.Lock()
	defer s.q.shard.mu.Unlock()
	if !isCurrent || !s.q.isAsFreshAs(fresh) {
		return authz.Decision{}, errAsk
	}
	for _, e := range s.q.entries() {
		if !e.value.isRefused(now) && (!e.value.valid || e.value.failure != nil || e.heard.isDirty() || s.c.ages.isExpired(e, now)) {
			return authz.Decision{}, errAsk
		}
	}
	return s.compose()
}

// ask answers by asking SpiceDB for what is not cached: with anew, for everything.
func (s *subscription) ask(ctx context.Context, anew bool) (authz.Decision, error) {
	c, q := s.c, s.q
	gate, unrestricted, err := c.checkEntries(ctx, q)
	if err != nil {
		return authz.Decision{}, err
	}
	first, second := c.tickets.want(gate, anew), c.tickets.want(unrestricted, anew)
	c.scheduler.dispatch()
	if err := c.tickets.await(ctx, gate, first); err != nil {
		return authz.Decision{}, fmt.Errorf("gate: %w", err)
	}
	if err := s.gateError(); err != nil {
		return authz.Decision{}, err
	}
	if err := c.tickets.await(ctx, unrestricted, second); err != nil {
		return authz.Decision{}, fmt.Errorf("unrestricted: %w", err)
	}
	for {
		if err := s.awaitFilters(ctx, anew); err != nil {
			return authz.Decision{}, err
		}
		q.shard.mu.Lock()
		d, err := s.compose()
		q.shard.mu.Unlock()
		if !errors.Is(err, errAsk) { // it was unrestricted a moment ago, and needs the filters now
			return d, err
		}
	}
}

func (s *subscription) gateError() error {
	s.q.shard.mu.Lock()
	defer s.q.shard.mu.Unlock()
	return s.q.gateError()
}

// awaitFilters waits for the grants of all filters, unless the subject needs none.
func (s *subscription) awaitFilters(ctx context.Context, anew bool) error {
	c, q := s.c, s.q
	q.shard.mu.Lock()
	seesAll := q.seesAll()
	q.shard.mu.Unlock()
	if seesAll {
		return nil
	}
	filters, err := c.filterEntries(ctx, q)
	if err != nil {
		return err
	}
	tickets := make([]uint64, len(filters))
	for i, e := range filters {
		tickets[i] = c.tickets.want(e, anew)
	}
	c.scheduler.dispatch()
	for i, e := range filters {
		if err := c.tickets.await(ctx, e, tickets[i]); err != nil {
			return fmt.Errorf("filter %s#%s: %w", e.permission.definition, e.permission.name, err)
		}
	}
	return nil
}

// seesAll reports whether no filter has to be asked: there is none, or the subject is
// unrestricted. The caller holds the shard's lock.
func (q *query) seesAll() bool {
	return len(q.q.Rule.Filters) == 0 || q.unrestricted != nil && q.unrestricted.value.held
}

// gateError is the error of a gate that does not hold, nil if it holds. The caller holds
// the shard's lock.
func (q *query) gateError() error {
	switch gate := q.gate; {
	case q.q.Rule.Gate == nil || gate != nil && gate.value.held:
		return nil
	case gate != nil && gate.value.failure != nil:
		return fmt.Errorf("gate: %w", gate.value.failure)
	default:
		r := q.q.Rule.Gate
		return authz.E(authz.Denied, "gate", fmt.Errorf("%s does not have %s on %s", q.q.Subject, r.Permission, r.Resource))
	}
}

// compose makes a decision of what the entries say at this moment. It is errAsk if an
// entry that is needed has no answer. The caller holds the shard's lock.
func (s *subscription) compose() (authz.Decision, error) {
	c, q := s.c, s.q
	if q.gate == nil && q.q.Rule.Gate != nil {
		return authz.Decision{}, errAsk
	}
	if err := q.gateError(); err != nil {
		return authz.Decision{}, err
	}
	seesAll := q.seesAll()
	if !seesAll {
		if q.filters == nil {
			return authz.Decision{}, errAsk
		}
		for _, e := range q.filters {
			if e.value.failure != nil {
				return authz.Decision{}, fmt.Errorf("filter %s#%s: %w", e.permission.definition, e.permission.name, e.value.failure)
			}
			if !e.value.valid {
				return authz.Decision{}, errAsk
			}
		}
	}
	if q.last.isStale {
		q.last = composed{grants: q.grants(seesAll)}
		q.last.fingerprint = q.last.grants.Fingerprint(c.cfg.Key, q.q.Rule.Label)
		c.remembered.put(q.q.Subject.ObjectRef, q.last.fingerprint, q.last.grants)
	}
	return authz.Decision{
		Grants: q.last.grants, Fingerprint: q.last.fingerprint,
		Tokens: c.tokens(q, seesAll), At: q.composedAt(),
	}, nil
}

func (q *query) grants(seesAll bool) authz.Grants {
	if seesAll {
		return authz.Everything()
	}
	sets := make([]*authz.GrantSet, len(q.filters))
	for i, e := range q.filters {
		sets[i] = e.value.set
	}
	return authz.GrantsOf(sets...)
}

// composedAt is a moment with all that was heard before it in the decision.
func (q *query) composedAt() time.Time {
	at := time.Now()
	for _, e := range q.entries() {
		if e.heard.isDirty() && !e.heard.since.IsZero() && !e.heard.since.After(at) {
			at = e.heard.since.Add(-time.Microsecond)
		}
	}
	return at
}

// tokenAge is how old a token may be before a newer one takes its place: SpiceDB forgets
// revisions.
const tokenAge = time.Hour

// tokens are revisions at which the sets were as they are. A set that nothing has touched
// for long is the same at any revision up to which the watch has brought everything.
func (c *Cache) tokens(q *query, seesAll bool) []authz.ZedToken {
	if seesAll {
		return nil
	}
	tokens := make([]authz.ZedToken, len(q.filters))
	for i, e := range q.filters {
		v := &e.value
		if time.Since(v.tokenAt) > tokenAge && !e.heard.isDirty() && v.set.Len() > 0 {
			if token, ok := c.freshness.complete(v.tokenAt); ok {
				v.token, v.tokenAt = token, time.Now()
			}
		}
		tokens[i] = v.token
	}
	return tokens
}
