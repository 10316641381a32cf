package grantcache

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// A reader may come after what waits was taken out of the queue to be failed, and before
// its entry was told.
func TestAReaderThatComesWhileWhatWaitsIsFailedIsAnswered(t *testing.T) {
	for _, rule := range []authz.Rule{{Filters: []authz.Filter{document}}, {Gate: mainSync}} {
		w := newWorld("alice document:d1#view", "alice workspace:main#sync")
		inBubble(t, w, nil, func(t *testing.T, c *Cache) {
			s := subscribeRule(t, c, "alice", rule)
			if _, err := s.Decide(t.Context(), authz.Bounded, ""); err != nil {
				t.Fatal(err)
			}
			tickets := c.decider.tickets
			asker := tickets.scheduler.caller.(*asker)
			var e *entry
			for e = range s.(*subscription).q.entries {
				break
			}
			e.shard.mu.Lock()
			e.heard.whole = tickets.touches.Add(1)
			e.calls.queued, e.calls.urgent = true, true
			e.shard.mu.Unlock()
			number := tickets.touches.Load()

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			answered := make(chan error, 1)
			go func() {
				_, err := s.Decide(ctx, authz.Strict, "")
				answered <- err
			}()
			synctest.Wait()
			e.shard.mu.Lock()
			asker.outcomes.abandon(e, number, errDown)
			e.shard.mu.Unlock()
			tickets.scheduler.dispatch()
			if err := <-answered; err != nil {
				t.Error(err)
			}
		})
	}
}
