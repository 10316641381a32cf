package grantcache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// decider decides questions: from entries as they are, as far as the watch is proven to be
// current, and otherwise by having SpiceDB asked. Without an answer of every entry that is
// needed there is no decision.
type decider struct {
	key        authz.FingerprintKey
	engine     authz.Engine
	freshness  *freshness
	ages       *ages
	entries    *entries
	tickets    *tickets
	forced     *forced
	remembered *remembered
}

// errAsk says that SpiceDB has to be asked.
var errAsk = errors.New("not cached")

// decide is authz.Subscription's Decide.
//
// A lookup may cost a thousand times as much as a check, so none starts before the
// checks have shown that it is needed.
func (d *decider) decide(ctx context.Context, q *query, consistency authz.Consistency, fresh authz.ZedToken) (decision authz.Decision, err error) {
	err = errAsk
	if consistency == authz.Bounded {
		decision, err = d.cached(q, fresh)
	}
	if errors.Is(err, errAsk) {
		decision, err = d.decideAnew(ctx, q, consistency, fresh)
	}
	return decision, err
}

// decideAnew is decide where SpiceDB has to be asked.
func (d *decider) decideAnew(ctx context.Context, q *query, consistency authz.Consistency, fresh authz.ZedToken) (authz.Decision, error) {
	q.shard.mu.Lock()
	isFresh := q.fresh.has(fresh)
	q.shard.mu.Unlock()
	if isFresh {
		return d.ask(ctx, q, consistency == authz.Strict)
	}
	done, err := d.forced.admit(ctx, q.q.Subject.ObjectRef)
	if err != nil {
		return authz.Decision{}, err
	}
	defer done()
	if err := d.engine.Reach(ctx, fresh); err != nil {
		if authz.KindOf(err) == authz.Invalid {
			err = fmt.Errorf("%w: %w", authz.ErrFreshness, err)
		}
		return authz.Decision{}, err
	}
	decision, err := d.ask(ctx, q, true)
	if err == nil {
		q.shard.mu.Lock()
		q.fresh.add(fresh)
		q.shard.mu.Unlock()
	}
	return decision, err
}

// cached answers from entries as they are; errAsk if some have to be asked for. Freshness
// is looked at first: what the watch hears afterwards only makes the answer newer.
func (d *decider) cached(q *query, fresh authz.ZedToken) (decision authz.Decision, err error) {
	now := time.Now()
	known, isCurrent := d.freshness.known(now)
	q.shard.mu.Lock()
	defer q.shard.mu.Unlock()
	if !isCurrent || !q.fresh.has(fresh) || !d.isCurrent(q, now) {
		return decision, errAsk
	}
	return d.compose(q, known)
}

// isCurrent reports whether every entry of a query says what SpiceDB would, as far as the
// watch has brought it. The caller holds the shard's lock.
func (d *decider) isCurrent(q *query, now time.Time) bool {
	for e := range q.entries {
		v := &e.value
		if !v.isRefused(now) && (!v.valid || v.failure != nil || e.heard.isDirty() || d.ages.isExpired(e, now)) {
			return false
		}
	}
	return true
}

// ask answers by asking SpiceDB for what is not cached: with anew, for everything.
func (d *decider) ask(ctx context.Context, q *query, anew bool) (authz.Decision, error) {
	gate, unrestricted, err := d.entries.checks(ctx, q)
	if err != nil {
		return authz.Decision{}, err
	}
	tickets := d.tickets.want(anew, gate, unrestricted)
	if err := d.tickets.await(ctx, gate, tickets[0]); err != nil {
		return authz.Decision{}, fmt.Errorf("gate: %w", err)
	}
	q.shard.mu.Lock()
	err = q.gateError()
	q.shard.mu.Unlock()
	if err != nil {
		return authz.Decision{}, err
	}
	if err := d.tickets.await(ctx, unrestricted, tickets[1]); err != nil {
		return authz.Decision{}, fmt.Errorf("unrestricted: %w", err)
	}
	for {
		if err := d.awaitFilters(ctx, q, anew); err != nil {
			return authz.Decision{}, err
		}
		known, _ := d.freshness.known(time.Now())
		q.shard.mu.Lock()
		decision, err := d.compose(q, known)
		q.shard.mu.Unlock()
		if !errors.Is(err, errAsk) { // it was unrestricted a moment ago, and needs the filters now
			return decision, err
		}
	}
}

// awaitFilters waits for the grants of all filters, unless the subject needs none.
func (d *decider) awaitFilters(ctx context.Context, q *query, anew bool) error {
	q.shard.mu.Lock()
	seesAll := q.seesAll()
	q.shard.mu.Unlock()
	if seesAll {
		return nil
	}
	filters, err := d.entries.filters(ctx, q)
	if err != nil {
		return err
	}
	for i, ticket := range d.tickets.want(anew, filters...) {
		if err := d.tickets.await(ctx, filters[i], ticket); err != nil {
			return fmt.Errorf("filter %s: %w", filters[i].permission, err)
		}
	}
	return nil
}

// compose makes a decision of what the entries say at this moment. It is errAsk if an
// entry that is needed has no answer. The watch has brought what was written before known.
// The caller holds the shard's lock.
func (d *decider) compose(q *query, known time.Time) (decision authz.Decision, err error) {
	if err := q.err(); err != nil {
		return decision, err
	}
	seesAll := q.seesAll()
	if q.last.isStale {
		d.composeAnew(q, seesAll)
	}
	decision.Grants, decision.Fingerprint = q.last.grants, q.last.fingerprint
	decision.At = q.moment(known, d.freshness.bound)
	if !seesAll {
		decision.Tokens = d.tokens(q)
	}
	return decision, nil
}

// composeAnew makes the grants of what the entries say. The caller holds the shard's lock.
func (d *decider) composeAnew(q *query, seesAll bool) {
	q.last = composed{grants: q.grants(seesAll)}
	q.last.fingerprint = q.last.grants.Fingerprint(d.key, q.q.Rule.Label)
	d.remembered.put(q.q.Subject.ObjectRef, q.last.fingerprint, q.last.grants)
}

// tokenAge is how old a token may be before a newer one takes its place: SpiceDB forgets
// revisions.
const tokenAge = time.Hour

// tokens are revisions at which the sets were as they are. A set that nothing has touched
// for long is the same at any revision up to which the watch has brought everything.
func (d *decider) tokens(q *query) []authz.ZedToken {
	tokens := make([]authz.ZedToken, len(q.filters))
	for i, e := range q.filters {
		v := &e.value
		if time.Since(v.tokenAt) > tokenAge && !e.heard.isDirty() && v.set.Len() > 0 {
			if token, ok := d.freshness.complete(v.tokenAt); ok {
				v.token, v.tokenAt = token, time.Now()
			}
		}
		tokens[i] = v.token
	}
	return tokens
}
