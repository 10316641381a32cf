package grantcachetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
)

// Sentinel is a subject that is granted objects for no other reason than to see when its
// cache hears of it. Once it has, it has heard of what was written before.
type Sentinel struct {
	cache        *Cache
	subscription authz.Subscription
	post         Post
}

// Post is the permission that a sentinel watches: one that a holder of the relation has,
// by that alone.
type Post struct {
	ResourceType, Relation, Permission string

	// Touch writes relationships.
	Touch func(ctx context.Context, relationships ...string) error

	// Patient makes it wait through decisions that fail, as they do while SpiceDB is away.
	Patient bool
}

// noticed numbers what sentinels are granted. What another was granted before is no
// news to one at the same post.
var noticed atomic.Int64

const sentinelID = "sentinel"

// Sentinel posts one, and returns it once the cache is current. It fails as Heard does.
func (c *Cache) Sentinel(ctx context.Context, post Post) (*Sentinel, error) {
	subscription, err := c.Subscribe(authz.Question{
		Subject: authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: sentinelID}},
		Rule:    authz.Rule{Filters: []authz.Filter{{ResourceType: post.ResourceType, Permission: post.Permission}}},
	})
	if err != nil {
		return nil, err
	}
	s := &Sentinel{c, subscription, post}
	for {
		if err := s.Heard(ctx); err != nil {
			subscription.Release()
			return nil, err
		}
		if c.Current() {
			return s, nil
		}
	}
}

// Release ends it.
func (s *Sentinel) Release() { s.subscription.Release() }

// Heard returns once the cache has heard of everything that was written. The error is of
// the write, the context's, or a decision's, unless the sentinel is patient.
func (s *Sentinel) Heard(ctx context.Context) error {
	id, begun := fmt.Sprintf("sentinel-%d", noticed.Add(1)), s.cache.watch.since()
	relationship := fmt.Sprintf("%s:%s#%s@user:%s", s.post.ResourceType, id, s.post.Relation, sentinelID)
	if err := s.post.Touch(ctx, relationship); err != nil {
		return err
	}
	return s.await(ctx, func(d authz.Decision, err error) (bool, error) {
		if err != nil {
			return !s.post.Patient, err
		}
		return d.Grants.Set(0).Has(id) && s.cache.watch.hasHeard(id, begun), nil
	})
}

// Lost returns once the cache knows that it does not hear of anything any more. One call
// that fails is no sign of it: cached entries may still be recent enough.
func (s *Sentinel) Lost(ctx context.Context) error {
	return s.await(ctx, func(_ authz.Decision, err error) (bool, error) { return err != nil && !s.cache.Current(), nil })
}

func (s *Sentinel) await(ctx context.Context, is func(authz.Decision, error) (bool, error)) error {
	for {
		changed, next := s.subscription.Changed(), s.cache.watch.next()
		d, cause := s.subscription.Decide(ctx, authz.Bounded, "")
		if err := ctx.Err(); err != nil {
			return errors.Join(err, cause)
		}
		if done, err := is(d, cause); done {
			return err
		}
		select {
		case <-changed:
		case <-next:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), cause)
		}
	}
}
