package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// Lease implements authz.Lease.
type Lease struct {
	k *Keeper
	l *lineage

	release sync.Once
}

var _ authz.Lease = (*Lease)(nil)

// Release implements authz.Lease.
func (s *Lease) Release() {
	s.release.Do(func() {
		s.k.mu.Lock()
		defer s.k.mu.Unlock()
		s.l.leases--
		s.l.idle = time.Now()
	})
}

// Changed implements authz.Lease.
func (s *Lease) Changed() <-chan struct{} {
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	return s.l.changed
}

// Decide implements authz.Lease.
//
// Lookups may be a thousand times dearer than checks, so none starts before the
// checks have shown that it is needed.
func (s *Lease) Decide(ctx context.Context, c authz.Consistency, fresh authz.ZedToken) (authz.Decision, error) {
	if d, ok := s.kept(fresh); ok && c == authz.Bounded {
		return d, nil
	}
	if s.isAsFreshAs(fresh) {
		return s.decide(ctx, c == authz.Strict, "")
	}
	// The first answer may lack what was just written, see confirmAfter; what is
	// asked for when it is there does not.
	if d, err := s.decide(ctx, true, ""); err != nil && authz.KindOf(err) != authz.Denied {
		return d, err
	}
	return s.decide(ctx, true, fresh)
}

// decide answers the question: with anew, from nothing that is kept.
func (s *Lease) decide(ctx context.Context, anew bool, fresh authz.ZedToken) (authz.Decision, error) {
	k, l := s.k, s.l
	gate, unrestricted, err := k.checks(ctx, l)
	if err != nil {
		return authz.Decision{}, err
	}
	first, second := k.want(gate, anew), k.want(unrestricted, anew)
	if err := k.await(ctx, gate, first); err != nil {
		return authz.Decision{}, fmt.Errorf("gate: %w", err)
	}
	if err := k.denied(gate); err != nil {
		return authz.Decision{}, err
	}
	if err := k.await(ctx, unrestricted, second); err != nil {
		return authz.Decision{}, fmt.Errorf("unrestricted: %w", err)
	}
	for {
		if err := k.awaitFilters(ctx, l, anew); err != nil {
			return authz.Decision{}, err
		}
		d, err := s.compose(fresh)
		if !errors.Is(err, errMoved) {
			return d, err
		}
	}
}

// awaitFilters waits for the grants of all filters, unless the subject needs none.
func (k *Keeper) awaitFilters(ctx context.Context, l *lineage, anew bool) error {
	if k.seesAll(l) {
		return nil
	}
	filters, err := k.lookups(ctx, l)
	if err != nil {
		return err
	}
	tickets := make([]ticket, len(filters))
	for i, h := range filters {
		tickets[i] = k.want(h, anew)
	}
	for i, h := range filters {
		if err := k.await(ctx, h, tickets[i]); err != nil {
			return fmt.Errorf("filter %s#%s: %w", h.permission.definition, h.permission.name, err)
		}
	}
	return nil
}

// kept returns the last decision, if nothing has to be asked for it.
func (s *Lease) kept(fresh authz.ZedToken) (authz.Decision, bool) {
	k, l := s.k, s.l
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if l.stale || !l.isAsFreshAs(fresh) || !k.currency.holds(now) {
		return authz.Decision{}, false
	}
	for _, h := range l.holdings() {
		if h.covered < h.wanted || k.expired(h, now) {
			return authz.Decision{}, false
		}
	}
	return l.last, true
}

func (s *Lease) isAsFreshAs(fresh authz.ZedToken) bool {
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	return s.l.isAsFreshAs(fresh)
}

// denied returns the error of a gate that does not hold.
func (k *Keeper) denied(gate *holding) error {
	if gate == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return gate.denial()
}

func (h *holding) denial() error {
	if h == nil || h.held {
		return nil
	}
	return authz.E(authz.Denied, "gate", fmt.Errorf("%s does not have %s on %s:%s",
		h.subject, h.permission.name, h.permission.definition, h.resource))
}

// seesAll reports whether no filter has to be asked: there is none, or the subject
// is unrestricted.
func (k *Keeper) seesAll(l *lineage) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(l.q.Rule.Filters) == 0 || l.unrestricted != nil && l.unrestricted.held
}

// compose makes a decision of what the holdings say at this moment.
func (s *Lease) compose(fresh authz.ZedToken) (authz.Decision, error) {
	k, l := s.k, s.l
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := l.gate.denial(); err != nil {
		return authz.Decision{}, err
	}
	l.becameAsFreshAs(fresh)
	if !l.stale {
		return l.last, nil
	}
	d := authz.Decision{Mark: authz.Mark{Lineage: l.id, Version: k.version}}
	switch {
	case len(l.q.Rule.Filters) == 0, l.unrestricted != nil && l.unrestricted.held:
		d.Unrestricted = true
	case !l.lookedUp():
		return authz.Decision{}, errMoved
	default:
		d.Grants = make([]*authz.GrantSet, len(l.filters))
		for i, h := range l.filters {
			d.Grants[i] = h.set
		}
	}
	d.Name = authz.CombineFingerprints(k.cfg.Key, l.q.Rule.Label, d.Fingerprint(k.cfg.Key))
	l.last, l.stale = d, false
	if !d.Unrestricted {
		k.memory.put(memoryKey{l.q.Subject.ObjectRef, d.Name}, d.Grants)
	}
	return d, nil
}

// errMoved says that the subject was unrestricted a moment ago, so that nobody
// looked up the filters which count now.
var errMoved = errors.New("no longer unrestricted")

// lookedUp reports whether the grants of all filters are there.
func (l *lineage) lookedUp() bool {
	for _, h := range l.filters {
		if !h.valid {
			return false
		}
	}
	return l.filters != nil
}

// Since implements authz.Lease.
func (s *Lease) Since(now authz.Decision, then authz.Mark, name authz.Fingerprint) (authz.Change, bool) {
	k, l := s.k, s.l
	k.mu.Lock()
	defer k.mu.Unlock()
	if then.Lineage == l.id && (l.gate.flippedAfter(then) || l.unrestricted.flippedAfter(then)) {
		// It may look as before, but what was in between is not known.
		return authz.Change{}, false
	}
	if c, ok := k.since(l, now, then); ok {
		return c, true
	}
	if name == now.Name {
		return now.Unchanged(), true
	}
	before, ok := k.memory.get(memoryKey{l.q.Subject.ObjectRef, name})
	if !ok || now.Unrestricted || len(before) != len(now.Grants) {
		return authz.Change{}, false
	}
	return now.Compare(before), true
}

func (h *holding) flippedAfter(then authz.Mark) bool { return h != nil && h.flipped > then.Version }

// since gathers what happened between a mark of this keeper and a decision. The
// caller holds the lock.
func (k *Keeper) since(l *lineage, now authz.Decision, then authz.Mark) (c authz.Change, ok bool) {
	if then.Lineage != l.id || then.Version > now.Mark.Version {
		return c, false
	}
	for _, h := range l.holdings() {
		if h.since > then.Version {
			return c, false
		}
	}
	c = now.Unchanged()
	c.Exact = true
	if now.Unrestricted {
		return c, true
	}
	for i, h := range l.filters {
		for _, change := range slices.Backward(h.changes) {
			if change.version <= then.Version || change.version > now.Mark.Version {
				continue
			}
			c.Before[i] = c.Before[i].Difference(change.gained).Union(change.lost)
			c.Lost[i] = c.Lost[i].Union(change.lost)
			c.Gained[i] = c.Gained[i].Union(change.gained)
		}
		c.Kept[i] = now.Grants[i].Difference(c.Gained[i])
		c.Gained[i] = now.Grants[i].Difference(c.Kept[i])
	}
	return c, true
}

// Confirm implements authz.Lease.
func (s *Lease) Confirm(ctx context.Context, d authz.Decision, ids [][]string) (authz.Decision, error) {
	l, now := s.l, time.Now()
	var checks []authz.Check
	ask := func(h *holding, id string) { checks = append(checks, h.check(id, now)) }
	s.k.mu.Lock()
	gate, unrestricted, filters := l.gate, l.unrestricted, l.filters
	s.k.mu.Unlock()
	if gate != nil {
		ask(gate, gate.resource)
	}
	if d.Unrestricted && unrestricted != nil {
		ask(unrestricted, unrestricted.resource)
	}
	for i, of := range ids {
		for _, id := range of {
			ask(filters[i], id)
		}
	}
	held, err := s.k.engine.CheckPermissions(ctx, checks)
	if err != nil {
		return authz.Decision{}, err
	}
	if gate != nil {
		if !held[0] {
			return authz.Decision{}, (&holding{holdingKey: gate.holdingKey, permission: gate.permission}).denial()
		}
		held = held[1:]
	}
	if d.Unrestricted {
		if unrestricted != nil && !held[0] {
			d.Unrestricted, d.Grants = false, make([]*authz.GrantSet, len(l.q.Rule.Filters))
		}
		return d, nil
	}
	return s.narrow(d, ids, held), nil
}

// narrow returns the decision with only those of the ids that are held.
func (s *Lease) narrow(d authz.Decision, ids [][]string, held []bool) authz.Decision {
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	d.Grants = make([]*authz.GrantSet, len(ids))
	for i, of := range ids {
		b := s.k.idsOf(s.l.q.Rule.Filters[i].ResourceType).NewBuilder()
		for j, id := range of {
			if held[j] {
				b.Add(id)
			}
		}
		held = held[len(of):]
		d.Grants[i] = b.Build()
	}
	return d
}
