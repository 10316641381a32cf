package grantcache

import (
	"context"
	"sync/atomic"
	"time"
)

// sweeper does what is due with time.
type sweeper struct {
	idle      time.Duration // after which a question without a reader ends
	questions *questions
	forced    *forced
	collector *collector
	watcher   *watcher
	upkeep    *upkeep
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) error {
	bound := s.watcher.freshness.bound
	tick := time.NewTicker(max(min(bound, s.idle)/5, 10*time.Millisecond))
	defer tick.Stop()
	collect := time.NewTicker(s.idle)
	defer collect.Stop()
	for {
		select {
		case now := <-tick.C:
			s.questions.dropIdle(s.idle)
			s.forced.sweep(now)
			s.upkeep.sweep(now, s.watcher.checkProof(now))
		case <-collect.C:
			s.collector.collect()
		case <-ctx.Done():
			return nil
		}
	}
}

// upkeep goes through all entries now and then. It forgets old losses, and has those in use
// asked for again that may change though nothing says so.
type upkeep struct {
	shards    *shards
	touches   *atomic.Uint64
	losses    *losses
	ages      *ages
	debouncer *debouncer
	scheduler *scheduler
}

// sweep goes through all entries. With wake, readers decide anew, by asking SpiceDB.
func (u *upkeep) sweep(now time.Time, wake bool) {
	u.shards.each(func(s *shard) {
		if wake {
			for _, q := range s.queries {
				q.notify()
			}
		}
		for _, e := range s.entries {
			u.losses.forgetOld(e, now)
			if !e.heard.isDirty() && e.inUse() && u.ages.isDue(e, now) {
				e.heard.whole = u.touches.Add(1)
				u.debouncer.refresh(e)
			}
		}
	})
	u.scheduler.dispatch()
}
