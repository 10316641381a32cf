package grantcache

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
)

func TestWhatIsKeptIsNotAskedForAgain(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
		decide(t, l, "[d1]")
		asks(t, w, "document#view")
		for range 10 {
			decide(t, l, "[d1]")
			decide(t, subscribe(t, c, "alice", document), "[d1]")
			later(10 * time.Second)
		}
		asks(t, w)
		decide(t, subscribe(t, c, "bob", document), "[d2]")
		asks(t, w, "document#view")
	})
}

func TestAChangeTouchesOnlyTheEntriesThatItConcerns(t *testing.T) {
	for _, tt := range []struct {
		name   string
		update string
		asks   []string // of alice and bob, who are waiting
	}{
		{"a person's own grant of one object", "document:d9#viewer@user:alice", []string{"document:d9#view"}},
		{"a grant to a group", "document:d9#viewer@group:g#member", []string{"document:d9#view", "document:d9#view"}},
		{"a grant to everybody", "document:d9#viewer@user:*", []string{"document:d9#view", "document:d9#view"}},
		{"joining a group", "group:g#member@user:alice", []string{"document#view"}},
		{"a group in a group, in a moment", "group:g#member@group:h#member", nil},
		{"another person's grant", "document:d9#viewer@user:carol", nil},
		{"another relation", "document:d9#owner@user:alice", nil},
		{"another definition", "folder:d9#viewer@user:alice", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld("alice document:d1#view", "bob document:d2#view")
			inBubble(t, w, nil, func(t *testing.T, c *Cache) {
				alice, bob := subscribe(t, c, "alice", document), subscribe(t, c, "bob", document)
				decide(t, alice, "[d1]")
				decide(t, bob, "[d2]")
				w.questions()
				w.write(tt.update)
				synctest.Wait()
				asks(t, w, tt.asks...)
				if strings.HasSuffix(tt.name, "in a moment") {
					later(debounce)
					asks(t, w, "document#view", "document#view")
				}
			})
		})
	}
}

// SpiceDB may answer what is asked right after a write with what was before it.
func TestAnAnswerThatCameSoonAfterAWriteIsAskedForOnceMore(t *testing.T) {
	for update, ask := range map[string]string{
		"document:d9#viewer@user:alice": "document:d9#view", "group:g#member@user:alice": "document#view",
	} {
		w := newWorld("alice document:d1#view")
		inBubble(t, w, nil, func(t *testing.T, c *Cache) {
			l := subscribe(t, c, "alice", document)
			decide(t, l, "[d1]")
			w.questions()
			w.write(update) // and SpiceDB does not see it yet
			synctest.Wait()
			asks(t, w, ask)
			decide(t, l, "[d1]")
			w.set(func() { w.held["alice document:d9#view"] = true })
			later(time.Second)
			asks(t, w, ask)
			decide(t, l, "[d1 d9]")
			later(10 * time.Second)
			asks(t, w) // and no more
		})
	}
}

// What others are asked once more for may be due a moment after the write.
func TestWhatIsAskedOnceMoreTooSoonIsAskedYetAgain(t *testing.T) {
	for _, update := range []string{"document:d9#viewer@user:alice", "document:d9#viewer@group:g#member"} {
		w := newWorld("alice document:d1#view")
		inBubble(t, w, nil, func(t *testing.T, c *Cache) {
			alice := subscribe(t, c, "alice", document)
			decide(t, alice, "[d1]")
			for i := range fewEntries + 1 {
				decide(t, subscribe(t, c, fmt.Sprint("other", i), document), "[]")
			}
			later(time.Second)
			w.write("document:d5#viewer@user:other1")
			later(recheckAfter - time.Millisecond)
			w.write(update) // and SpiceDB does not see it yet
			later(2 * time.Millisecond)
			w.set(func() { w.held["alice document:d9#view"] = true })
			later(time.Second)
			decide(t, alice, "[d1 d9]")
			w.questions()
			later(10 * time.Second)
			asks(t, w) // no more
		})
	}
}

func TestWhatIsAskedOnceMoreIsKeptWhereACallFails(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		alice := subscribe(t, c, "alice", document)
		decide(t, alice, "[d1]")
		later(time.Second)
		w.write("document:d9#viewer@user:alice") // and SpiceDB does not see it yet
		synctest.Wait()
		gate := make(chan struct{})
		w.set(func() { w.gates["document:d9#view"], w.fails["document:d9#view"] = gate, errDown })
		later(recheckAfter)
		w.set(func() { w.held["alice document:d9#view"] = true })
		w.write("document:d8#viewer@user:alice", "alice document:d8#view")
		synctest.Wait()
		w.set(func() { clear(w.gates); clear(w.fails) })
		close(gate)
		later(time.Second)
		decide(t, alice, "[d1 d8 d9]")
	})
}

// Where something is written all the time, not everything is asked for all the time.
func TestAnAnswerIsNotAskedForAgainForWhatConcernsOthers(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		alice, bob := subscribe(t, c, "alice", document), subscribe(t, c, "bob", document)
		decide(t, alice, "[d1]")
		decide(t, bob, "[d2]")
		w.questions()
		w.write("document:alices#viewer@user:alice")
		for range 100 {
			w.write("document:bobs#viewer@user:bob")
			later(20 * time.Millisecond)
		}
		later(time.Second)
		ofAlice := 0
		for _, q := range w.questions() {
			if q == "document:alices#view" {
				ofAlice++
			}
		}
		if ofAlice < 2 || ofAlice > 3 {
			t.Errorf("SpiceDB was asked %d times about what alice was granted", ofAlice)
		}
	})
}

// A first lookup right after a write may be answered from before it, too.
func TestAFirstAnswerSoonAfterAWriteIsAskedForOnceMore(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		decide(t, subscribe(t, c, "bob", document), "[d2]") // the permission is known by him
		w.questions()
		w.write("document:d9#viewer@user:alice") // and SpiceDB does not see it yet
		synctest.Wait()
		alice := subscribe(t, c, "alice", document)
		decide(t, alice, "[d1]")
		w.set(func() { w.held["alice document:d9#view"] = true })
		later(time.Second)
		decide(t, alice, "[d1 d9]")
	})
}

// The watch begins behind what was written a moment before.
func TestAFirstAnswerSoonAfterTheStartIsAskedForOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("alice document:d1#view")
		w.changed = make(chan struct{}) // of the bubble
		starting(t, w, nil, func(c *Cache) {
			alice := subscribe(t, c, "alice", document)
			decide(t, alice, "[d1]") // SpiceDB does not see yet what was written before
			w.set(func() { w.held["alice document:d9#view"] = true })
			later(time.Second)
			decide(t, alice, "[d1 d9]")
		})
	})
}

// The permission may have been unknown when the watch brought the write.
func TestAFirstAnswerAboutAPermissionSoonAfterAWriteIsAskedForOnceMore(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		w.write("document:d9#viewer@user:alice") // and SpiceDB does not see it yet
		synctest.Wait()
		alice := subscribe(t, c, "alice", document)
		decide(t, alice, "[d1]")
		w.set(func() { w.held["alice document:d9#view"] = true })
		later(time.Second)
		decide(t, alice, "[d1 d9]")
	})
}

func TestAChangeOfOneObjectConcernsTheGatesOnItAlone(t *testing.T) {
	w := newWorld("alice workspace:main#sync", "alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribeRule(t, c, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document}})
		decide(t, l, "[d1]")
		w.questions()
		w.write("workspace:other#member@user:alice")
		synctest.Wait()
		asks(t, w)
		w.write("workspace:main#member@user:alice")
		synctest.Wait()
		asks(t, w, "workspace:main#sync")
	})
}

// Where one object's permission rests on that of another object of its type, a
// change of one may change any.
func TestAPermissionThatRecursesThroughItsTypeIsLookedUp(t *testing.T) {
	w := newWorld("alice document:d1#view")
	deps := rests("document#viewer", "document#parent")
	deps.Subjects["document"] = true
	w.deps["document#view"] = deps
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		decide(t, subscribe(t, c, "alice", document), "[d1]")
		w.questions()
		w.write("document:d1#viewer@user:alice")
		synctest.Wait()
		asks(t, w, "document#view")
		later(time.Second)
		w.questions()
		w.write("document:d2#parent@document:d1") // which concerns everybody who sees d1
		later(debounce)
		asks(t, w, "document#view")
	})
}

// Nor does a permission that is gone from the schema, and comes back, lose a change.
func TestAPermissionOfWhichNothingIsKnownIsAskedForAtEveryChange(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
		decide(t, l, "[d1]")
		w.mu.Lock()
		delete(w.deps, "document#view")
		w.bring(authz.WatchEvent{SchemaChanged: true})
		w.mu.Unlock()
		later(time.Second)
		w.questions()
		changed := l.Changed()
		w.write("whatever:x#relation@user:bob", "alice document:d2#view")
		later(time.Second)
		if !isClosed(changed) {
			t.Error("the reader is not woken")
		}
		decide(t, l, "[d1 d2]")
	})
}

func TestAReaderIsWokenByTheirOwnGrantsAlone(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		alice, bob := subscribe(t, c, "alice", document), subscribe(t, c, "bob", document)
		decide(t, alice, "[d1]")
		decide(t, bob, "[d2]")
		a, b := alice.Changed(), bob.Changed()
		w.write("document:d3#viewer@group:g#member", "alice document:d3#view")
		later(time.Second)
		if !isClosed(a) || isClosed(b) {
			t.Errorf("woken: alice %v, bob %v", isClosed(a), isClosed(b))
		}
		decide(t, alice, "[d1 d3]")
	})
}

func TestUnusedGrantsAreDroppedAndRemembered(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		then := decide(t, s, "[d1 d2]")
		s.Release()
		later(2 * time.Minute)
		if n := kept(c); n != 0 || c.questions.space.questions.Load() != 0 || c.questions.space.sets.Load() != 0 {
			t.Errorf("%d entries, %d queries and %d bytes are kept", n, c.questions.space.questions.Load(), c.questions.space.sets.Load())
		}
		w.questions()
		w.write("document:d1#viewer@user:alice", "-alice document:d1#view", "alice document:d3#view")
		synctest.Wait()
		asks(t, w)

		s = subscribe(t, c, "alice", document)
		decide(t, s, "[d2 d3]")
		w.questions()
		if g, err := s.Recall(t.Context(), then.Fingerprint, nil); err != nil || describe(s, g) != "[d1 d2]" {
			t.Errorf("recalled %s, %v", describe(s, g), err)
		}
		asks(t, w)
		// A person cannot name another person's grants.
		bob := subscribe(t, c, "bob", document)
		decide(t, bob, "[]")
		if _, err := bob.Recall(t.Context(), then.Fingerprint, nil); !errors.Is(err, authz.ErrForgotten) {
			t.Errorf("bob recalls what alice held: %v", err)
		}
	})
}

func kept(c *Cache) (n int) {
	c.questions.shards.each(func(s *shard) { n += len(s.entries) })
	return n
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	const most = 8 << 10
	w := newWorld()
	inBubble(t, w, func(cfg *Config) { cfg.Memory = most }, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		first := decide(t, s, "[]")
		for i := range 200 {
			id := fmt.Sprintf("document:d%03d", i)
			w.write(id+"#viewer@user:alice", "alice "+id+"#view")
			synctest.Wait()
			if _, err := s.Decide(t.Context(), authz.Bounded, ""); err != nil {
				t.Fatal(err)
			}
			w.write("-" + id + "#viewer@user:alice")
			later(20 * time.Millisecond)
			if size := c.decider.remembered.size() + c.sweeper.upkeep.losses.bytes.Load(); size > most {
				t.Fatalf("%d bytes are remembered", size)
			}
		}
		now, err := s.Decide(t.Context(), authz.Bounded, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recall(t.Context(), first.Fingerprint, nil); !errors.Is(err, authz.ErrForgotten) {
			t.Errorf("everything is remembered, for ever: %v", err)
		}
		if _, err := s.Recall(t.Context(), now.Fingerprint, nil); err != nil {
			t.Errorf("what just happened is not remembered: %v", err)
		}
	})
}

func TestNoMoreQuestionsAreKeptThanThereIsRoomFor(t *testing.T) {
	w := newWorld()
	inBubble(t, w, func(cfg *Config) { cfg.Questions = 3 }, func(t *testing.T, c *Cache) {
		var all []authz.Subscription
		for i := range 3 {
			s := subscribe(t, c, fmt.Sprintf("p%d", i), document)
			decide(t, s, "[]")
			all = append(all, s)
		}
		another := func() (authz.Subscription, error) {
			return c.Subscribe(authz.Question{Subject: person("p9"), Rule: authz.Rule{Filters: []authz.Filter{document}}})
		}
		if _, err := another(); authz.KindOf(err) != authz.Unavailable {
			t.Fatalf("one more: %v", err)
		}
		first := subscribe(t, c, "p0", document) // which is kept already
		first.Release()
		first.Release()
		if _, err := another(); err == nil {
			t.Fatal("a subscription that was released twice counts twice")
		}
		all[1].Release()
		if _, err := another(); err == nil {
			t.Fatal("room is made for every question anew, which goes through all of them")
		}
		later(makeRoomEvery)
		s, err := another()
		if err != nil {
			t.Fatalf("after one was released: %v", err)
		}
		s.Release()
	})
}

func TestALookupThatDoesNotFitIsUnavailable(t *testing.T) {
	var holds []string
	for i := range 5000 {
		holds = append(holds, fmt.Sprintf("alice document:d%d#view", i))
	}
	w := newWorld(append(holds, "bob document:d1#view")...)
	inBubble(t, w, func(cfg *Config) { cfg.SetMemory = 100_000 }, func(t *testing.T, c *Cache) {
		bob := subscribe(t, c, "bob", document)
		decide(t, bob, "[d1]")
		alice := subscribe(t, c, "alice", document)
		if _, err := alice.Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("%v", err)
		}
		decide(t, bob, "[d1]")
	})
}

// Ids that are in no set any more are forgotten; sets that a reader still has are not.
func TestIDsAreForgottenWithTheSetsThatHeldThem(t *testing.T) {
	var holds []string
	for i := range 5000 {
		holds = append(holds, fmt.Sprintf("alice document:d%d#view", i))
	}
	w := newWorld(append(holds, "bob document:d1#view")...)
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		bob := subscribe(t, c, "bob", document)
		decide(t, bob, "[d1]")
		alice := subscribe(t, c, "alice", document)
		d, err := alice.Decide(t.Context(), authz.Bounded, "")
		if err != nil {
			t.Fatal(err)
		}
		full := c.questions.space.tables.size()
		alice.Release()
		later(3 * time.Minute)
		if left := c.questions.space.tables.size(); left > full/100 {
			t.Errorf("%d of %d bytes are left", left, full)
		}
		if set := d.Grants.Set(0); set.Len() != 5000 || !set.Has("d4999") {
			t.Error("a set that is in use has lost its ids")
		}
		w.questions()
		decide(t, bob, "[d1]")
		asks(t, w)
		w.write("document:d7#viewer@user:bob", "bob document:d7#view")
		synctest.Wait()
		decide(t, bob, "[d1 d7]")
	})
}

func TestABurstOfWritesCostsFewCalls(t *testing.T) {
	const writes, perMillisecond = 10_000, 10
	for name, update := range map[string]string{
		"of one person's objects":    "document:d%d#viewer@user:alice",
		"of one person's groups":     "group:g%d#member@user:alice",
		"that concern everybody":     "document:d%d#viewer@group:g#member",
		"of groups that hold groups": "group:g%d#member@group:h#member",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			inBubble(t, w, nil, func(t *testing.T, c *Cache) {
				decide(t, subscribe(t, c, "alice", document), "[]")
				decide(t, subscribe(t, c, "bob", document), "[]")
				w.questions()
				w.takes = 10 * time.Millisecond
				for i := range writes {
					w.write(fmt.Sprintf(update, i))
					if i%perMillisecond == 0 {
						time.Sleep(time.Millisecond) // of the bubble
					}
				}
				later(10 * time.Second)
				if w.calls == 0 || w.calls > writes/40 {
					t.Errorf("%d calls for %d writes", w.calls, writes)
				}
			})
		})
	}
}

func TestASchemaChangeIsAChangeOfEverything(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		w.mu.Lock()
		w.deps["document#view"] = rests("document#reader")
		w.held["alice document:d2#view"] = true
		w.bring(authz.WatchEvent{SchemaChanged: true})
		w.mu.Unlock()
		synctest.Wait()
		decide(t, l, "[d1 d2]")
		later(time.Second)
		w.questions()
		w.write("document:d3#viewer@user:alice")
		synctest.Wait()
		asks(t, w) // not a relation of the permission any more
		w.write("document:d3#reader@user:alice", "alice document:d3#view")
		synctest.Wait()
		decide(t, l, "[d1 d2 d3]")
	})
}

// Two columns may be compared with the same permission. Their one entry is dropped once.
func TestFiltersThatShareAnEntryAreDroppedOnce(t *testing.T) {
	w := newWorld("alice document:d1#view")
	registry := prometheus.NewRegistry()
	inBubble(t, w, func(cfg *Config) { cfg.Registerer = registry }, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document, document)
		decide(t, s, "[d1] [d1]")
		s.Release()
		later(2 * time.Minute)
		if n := gaugeOf(t, registry, "shapegate_grant_cache_entries"); n != 0 {
			t.Errorf("%v entries are counted, and %d are kept", n, kept(c))
		}
		if n := c.questions.space.sets.Load(); n != 0 {
			t.Errorf("%d bytes are counted", n)
		}
	})
}

// Fingerprints that anybody can compute would be no secret.
func TestACacheNeedsAKey(t *testing.T) {
	if _, err := New(Config{Engine: newWorld()}); err == nil {
		t.Error("there is a cache without a key")
	}
	if _, err := New(Config{Key: authz.NewFingerprintKey([]byte("a key of tests"))}); err == nil {
		t.Error("there is a cache without SpiceDB")
	}
}
