package grantcache

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/shapegate/shapegate/authz"
)

// recalls bounds the lookups that one subject forces: by a ZedToken, or by a fingerprint
// that is not remembered.
type recalls struct {
	limit  int // of one subject in a minute
	shared singleflight.Group
	places chan struct{} // one for each recall that is under way, of whatever subject

	mu       sync.Mutex
	subjects map[authz.ObjectRef]*forced
}

// forced is what one subject forces.
type forced struct {
	rate     *rate.Limiter
	slots    chan struct{} // one for each that is under way
	lastUsed time.Time
}

const (
	forcedAtOnce = 2               // of one subject
	forcedWait   = 2 * time.Second // for a turn

	// recallWait is how long a recall waits for those of other subjects. After a restart
	// there may be one for each reader.
	recallWait = 10 * time.Second
)

var (
	errForced = errors.New("the subject forces too many lookups")
	errRecall = errors.New("too many grants of the past are looked up")
)

// admit waits for the subject's turn to force lookups. The caller calls done afterwards.
// Errors are Unavailable, or the context's.
func (r *recalls) admit(ctx context.Context, subject authz.ObjectRef) (done func(), err error) {
	r.mu.Lock()
	if r.subjects == nil {
		r.subjects = make(map[authz.ObjectRef]*forced)
	}
	f := r.subjects[subject]
	if f == nil {
		f = &forced{
			rate:  rate.NewLimiter(rate.Limit(float64(r.limit)/60), max(1, r.limit/10)),
			slots: make(chan struct{}, forcedAtOnce),
		}
		r.subjects[subject] = f
	}
	f.lastUsed = time.Now()
	r.mu.Unlock()

	waiting, cancel := context.WithTimeout(ctx, forcedWait)
	defer cancel()
	if err := f.rate.Wait(waiting); err != nil {
		return nil, refusedTurn(ctx)
	}
	select {
	case f.slots <- struct{}{}:
		return func() { <-f.slots }, nil
	case <-waiting.Done():
		return nil, refusedTurn(ctx)
	}
}

func refusedTurn(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return authz.E(authz.Unavailable, "force a lookup", errForced)
}

// enter waits for a place among the recalls of all subjects. The caller calls done
// afterwards. Errors are Unavailable, or the context's.
func (r *recalls) enter(ctx context.Context) (done func(), err error) {
	timer := time.NewTimer(recallWait)
	defer timer.Stop()
	select {
	case r.places <- struct{}{}:
		return func() { <-r.places }, nil
	case <-timer.C:
		return nil, authz.E(authz.Unavailable, "recall", errRecall)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// sweep forgets the subjects that have forced nothing for a while: their limits are as
// they were at first.
func (r *recalls) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for subject, f := range r.subjects {
		if now.Sub(f.lastUsed) > time.Minute && len(f.slots) == 0 {
			delete(r.subjects, subject)
		}
	}
}

// mostRecalled is how many earlier grants of a subject are searched for one that differs
// from a fingerprint's in a few ids.
const mostRecalled = 8

// Recall implements authz.Subscription. Grants that are remembered cost nothing. Else
// those of today and of the past are tried with the ids put in and taken out that changed
// lately: a set may have been composed while a change of another object was on its way. Else
// SpiceDB is asked, at the revisions of the tokens.
func (s *subscription) Recall(ctx context.Context, f authz.Fingerprint, tokens []authz.ZedToken) (authz.Grants, error) {
	c, q := s.c, &s.q.q
	subject := q.Subject.ObjectRef
	if all := authz.Everything(); all.Fingerprint(c.cfg.Key, q.Rule.Label) == f {
		return all, nil
	}
	if g, ok := c.remembered.get(subject, f); ok {
		return g, nil
	}
	ids := s.nearby()
	for _, g := range append(s.today(), c.remembered.some(subject, mostRecalled)...) {
		if found, ok := g.Near(c.cfg.Key, q.Rule.Label, f, ids); ok {
			return found, nil
		}
	}
	if len(tokens) != len(q.Rule.Filters) || len(tokens) == 0 {
		return authz.Grants{}, authz.ErrForgotten
	}
	return s.recallShared(ctx, f, tokens)
}

// recallShared shares one recall among readers that ask for the same. It goes on when its
// reader goes away, for the others.
func (s *subscription) recallShared(ctx context.Context, f authz.Fingerprint, tokens []authz.ZedToken) (authz.Grants, error) {
	var key strings.Builder
	key.WriteString(s.q.key + "\x00" + f.String())
	for _, t := range tokens {
		key.WriteString("\x00" + string(t))
	}
	done := s.c.recalls.shared.DoChan(key.String(), func() (any, error) {
		return s.recallAt(s.c.tasks.ctx, f, tokens)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return authz.Grants{}, r.Err
		}
		return r.Val.(authz.Grants), nil
	case <-ctx.Done():
		return authz.Grants{}, context.Cause(ctx)
	}
}

// recallAt looks the grants up at the revisions of the tokens.
func (s *subscription) recallAt(ctx context.Context, f authz.Fingerprint, tokens []authz.ZedToken) (authz.Grants, error) {
	c, q := s.c, &s.q.q
	leave, err := c.recalls.admit(ctx, q.Subject.ObjectRef)
	if err != nil {
		return authz.Grants{}, err
	}
	defer leave()
	done, err := c.recalls.enter(ctx)
	if err != nil {
		return authz.Grants{}, err
	}
	defer done()
	sets := make([]*authz.GrantSet, len(tokens))
	for i, token := range tokens {
		filter := q.Rule.Filters[i]
		if j := slices.Index(q.Rule.Filters[:i], filter); j >= 0 && tokens[j] == token {
			sets[i] = sets[j]
			continue
		}
		if token == "" { // SpiceDB names no revision of an empty answer
			sets[i] = c.tables.of(filter.ResourceType).NewBuilder().Build()
			continue
		}
		sets[i], _, err = c.client.lookup(ctx, authz.Lookup{
			Subject: q.Subject.ObjectRef, ResourceType: filter.ResourceType, Permission: filter.Permission,
			Context: contextAt(q.Context, q.Clock, time.Now()), At: token,
		})
		if kind := authz.KindOf(err); err != nil && (kind == authz.Invalid || kind == authz.Unanswerable || kind == authz.Internal) {
			return authz.Grants{}, authz.ErrForgotten
		}
		if err != nil {
			return authz.Grants{}, err
		}
	}
	g := authz.GrantsOf(sets...)
	found, ok := g.Near(c.cfg.Key, q.Rule.Label, f, append(s.differing(g), s.nearby()...))
	if !ok {
		return authz.Grants{}, authz.ErrForgotten
	}
	c.remembered.put(q.Subject.ObjectRef, f, found)
	return found, nil
}

// today returns the grants as they are cached, if they are.
func (s *subscription) today() []authz.Grants {
	s.q.shard.mu.Lock()
	defer s.q.shard.mu.Unlock()
	for _, e := range s.q.filters {
		if e.value.set == nil {
			return nil
		}
	}
	if len(s.q.filters) == 0 {
		return nil
	}
	return []authz.Grants{s.q.grants(false)}
}

// nearby are the ids that changed lately, the newest first.
func (s *subscription) nearby() (ids []authz.NearID) {
	s.q.shard.mu.Lock()
	defer s.q.shard.mu.Unlock()
	for i, e := range s.q.filters {
		for _, id := range e.nearby() {
			ids = append(ids, authz.NearID{Filter: i, ID: id})
		}
	}
	return ids
}

// differing are the ids in which grants differ from those of today, if they are few.
func (s *subscription) differing(g authz.Grants) (ids []authz.NearID) {
	for _, today := range s.today() {
		for _, d := range []authz.Grants{today.Minus(g), g.Minus(today)} {
			for i := range s.q.q.Rule.Filters {
				if d.Set(i).Len() > authz.MostNear {
					continue
				}
				for id := range d.Set(i).All() {
					ids = append(ids, authz.NearID{Filter: i, ID: id})
				}
			}
		}
	}
	return ids[:min(len(ids), authz.MostNear)]
}
