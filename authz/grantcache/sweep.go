package grantcache

import (
	"context"
	"math/rand/v2"
	"time"
)

// sweep does what is due with time, until ctx ends.
func (c *Cache) sweep(ctx context.Context) error {
	every := max(min(c.cfg.MaxStaleness, c.cfg.Idle)/5, 10*time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	collect := time.NewTicker(c.cfg.Idle)
	defer collect.Stop()
	for {
		select {
		case now := <-tick.C:
			c.sweepAt(now)
		case <-collect.C:
			c.collector.collect()
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Cache) sweepAt(now time.Time) {
	c.dropIdle(c.cfg.Idle)
	c.recalls.sweep(now)
	lost, just := c.freshness.justLost(now)
	if lost {
		c.watcher.cutSilent(now, c.cfg.MaxStaleness)
	}
	c.shards.each(func(s *shard) {
		if just { // readers decide anew, by asking SpiceDB
			for _, q := range s.queries {
				q.notify()
			}
		}
		for _, e := range s.entries {
			c.losses.forgetOld(e, now)
			if !e.isDirty() && e.inUse() && c.isDue(e, now) {
				e.heard.whole = c.touches.Add(1)
				c.refresher.refresh(e)
			}
		}
	})
	c.refresher.dispatch()
	c.metrics.staleness.Set(c.freshness.age(now).Seconds())
	c.metrics.remembered.Set(float64(c.remembered.size()) + float64(c.losses.bytes.Load()))
	c.metrics.sets.Set(float64(c.space.sets.Load()) + float64(c.tables.size()))
}

// isDue reports whether an entry is to be looked up again though nothing says that it
// changed: it may change with time or, without heartbeats, in silence. Not all at once.
func (c *Cache) isDue(e *entry, now time.Time) bool {
	age := now.Sub(e.value.asked)
	switch {
	case e.isVolatile():
		return age > c.cfg.MaxStaleness/2
	case !c.freshness.hasHeartbeat():
		return age > c.cfg.Relookup/2+rand.N(c.cfg.Relookup/2) //nolint:gosec // spreading, not guarding
	default:
		return false
	}
}

// isExpired reports whether an entry's answer is too old to be used.
func (c *Cache) isExpired(e *entry, now time.Time) bool {
	age := now.Sub(e.value.asked)
	return e.isVolatile() && age > c.cfg.MaxStaleness || age > c.cfg.Relookup+c.cfg.MaxStaleness && !c.freshness.hasHeartbeat()
}
