package grantcache

import (
	"context"
	"sync"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// subscription implements authz.Subscription: one reader's hold on a query.
type subscription struct {
	q         *query
	decider   *decider
	recaller  *recaller
	confirmer *confirmer

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
func (s *subscription) Decide(ctx context.Context, c authz.Consistency, fresh authz.ZedToken) (authz.Decision, error) {
	return s.decider.decide(ctx, s.q, c, fresh)
}

// Recall implements authz.Subscription.
func (s *subscription) Recall(ctx context.Context, f authz.Fingerprint, tokens []authz.ZedToken) (authz.Grants, error) {
	return s.recaller.recall(ctx, s.q, f, tokens)
}

// Interrupted implements authz.Subscription.
func (s *subscription) Interrupted(since authz.Moment) (lost authz.Grants, ok bool) {
	return s.q.interrupted(since)
}

// Confirm implements authz.Subscription.
func (s *subscription) Confirm(ctx context.Context, g authz.Grants, ids [][]string) (authz.Grants, error) {
	return s.confirmer.confirm(ctx, s.q, g, ids)
}
