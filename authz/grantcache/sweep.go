package grantcache

import (
	"context"
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
			if !e.heard.isDirty() && e.inUse() && c.ages.isDue(e, now) {
				e.heard.whole = c.touches.Add(1)
				c.debouncer.refresh(e)
			}
		}
	})
	c.scheduler.dispatch()
	c.metrics.staleness.Set(c.freshness.age(now).Seconds())
	c.metrics.remembered.Set(float64(c.remembered.size()) + float64(c.losses.bytes.Load()))
	c.metrics.sets.Set(float64(c.space.sets.Load()) + float64(c.tables.size()))
}
