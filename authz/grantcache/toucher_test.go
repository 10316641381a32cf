package grantcache

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// A call may begin after the watch brought a write and before the entry hears of it. It does
// not know that it has to be asked once more, and so does not answer the touch.
func TestACallThatBeginsBeforeItsEntryIsTouchedDoesNotAnswerTheTouch(t *testing.T) {
	for _, update := range []string{"document:d9#viewer@user:alice", "group:g#member@user:alice", "document:d9#viewer@group:g#member"} {
		w := newWorld("alice document:d1#view")
		inBubble(t, w, nil, func(t *testing.T, c *Cache) {
			s := subscribe(t, c, "alice", document)
			decide(t, s, "[d1]")
			later(time.Second)
			toucher := c.watcher.toucher
			e := s.(*subscription).q.filters[0]
			e.shard.mu.Lock()
			before := toucher.touches.Load()
			done := make(chan struct{})
			go func() {
				defer close(done)
				event := authz.WatchEvent{Updates: []authz.RelationshipUpdate{parseUpdate(update)}}
				toucher.take(c.watcher.schema.plan(&event))
			}()
			const enough = 10_000 // for it to wait for the lock
			for range enough {
				if runtime.Gosched(); toucher.touches.Load() != before {
					break
				}
			}
			e.heard.whole = toucher.touches.Add(1) // a reader wants it anew
			k := e.begin(toucher.touches.Load(), time.Now())
			e.shard.mu.Unlock()
			<-done
			e.shard.mu.Lock()
			asker := toucher.scheduler.caller.(*asker)
			asker.outcomes.finish(&k, asker.settler.lookup(&k, e.value.set, ""))
			isDirty, again := e.heard.isDirty(), k.again
			e.shard.mu.Unlock()
			if !isDirty && again.isEmpty() {
				t.Errorf("%s is answered by a call that began before it was heard of", update)
			}
			toucher.scheduler.dispatch()
			synctest.Wait()
		})
	}
}

// A permission may become known, and be asked about, just before everything is touched.
func TestWhatIsTouchedWithEverythingIsAskedForThoughItsPermissionIsNew(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1]")
		changed := s.Changed()
		w.set(func() { w.held["alice document:d2#view"] = true })
		c.watcher.toucher.all(nil)
		later(time.Second)
		if !isClosed(changed) {
			t.Error("its reader was not woken")
		}
		decide(t, s, "[d1 d2]")
	})
}
