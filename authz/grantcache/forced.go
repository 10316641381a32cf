package grantcache

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/shapegate/shapegate/authz"
)

const (
	forcedAtOnce = 2               // of one subject
	forcedWait   = 2 * time.Second // for a turn
)

var errForced = errors.New("the subject forces too many lookups")

// forced bounds the lookups that one subject forces: by a ZedToken, or by a fingerprint
// that is not remembered.
type forced struct {
	limit int // of one subject in a minute

	mu       sync.Mutex
	subjects map[authz.ObjectRef]*turns
}

// turns are those of one subject.
type turns struct {
	rate     *rate.Limiter
	slots    chan struct{} // one for each lookup that is under way
	lastUsed time.Time
}

// admit waits for the subject's turn to force lookups. The caller calls done afterwards.
// Errors are Unavailable, or the context's.
func (f *forced) admit(ctx context.Context, subject authz.ObjectRef) (done func(), err error) {
	t := f.turnsOf(subject)
	waiting, cancel := context.WithTimeout(ctx, forcedWait)
	defer cancel()
	if err := t.rate.Wait(waiting); err != nil {
		return nil, refusedTurn(ctx)
	}
	select {
	case t.slots <- struct{}{}:
		return func() { <-t.slots }, nil
	case <-waiting.Done():
		return nil, refusedTurn(ctx)
	}
}

func (f *forced) turnsOf(subject authz.ObjectRef) *turns {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.subjects[subject]
	if t == nil {
		t = &turns{
			rate:  rate.NewLimiter(rate.Limit(float64(f.limit)/60), max(1, f.limit/10)),
			slots: make(chan struct{}, forcedAtOnce),
		}
		f.subjects[subject] = t
	}
	t.lastUsed = time.Now()
	return t
}

func refusedTurn(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return authz.E(authz.Unavailable, "force a lookup", errForced)
}

// sweep forgets the subjects that have forced nothing for a while: their limits are as
// they were at first.
func (f *forced) sweep(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for subject, t := range f.subjects {
		if now.Sub(t.lastUsed) > time.Minute && len(t.slots) == 0 {
			delete(f.subjects, subject)
		}
	}
}
