package grantcache

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// Deleting a relationship of one object interrupts it, whether it is given back or not.
// What goes through groups compares both ends.
func TestWhatInterruptsAnObject(t *testing.T) {
	const own, group = "document:d1#viewer@user:alice", "group:g#member@user:alice"
	for _, tt := range []struct {
		name    string
		updates []string
		want    string
		wakes   bool
	}{
		{"a grant of one's own, given back", []string{"-" + own, own}, "[d1]", true},
		{"a grant of one's own, granted twice", []string{"-" + own}, "[d1]", true},
		{"a group's grant, given back", []string{"-document:d1#viewer@group:g#member", "document:d1#viewer@group:g#member"}, "[d1]", true},
		{"a grant of something that is not held", []string{"-document:d9#viewer@user:alice"}, "[]", false},
		{"another person's grant", []string{"-document:d1#viewer@user:bob"}, "[]", false},
		{"another relation", []string{"-document:d1#owner@user:alice"}, "[]", false},
		{"written once more", []string{own, own}, "[]", false},
		{"a membership, given back", []string{"-" + group, group}, "[]", false},
		{"a membership, replaced", []string{"-" + group, own}, "[]", false},
	} {
		for _, many := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " among many ", many), func(t *testing.T) {
				w := newWorld("alice document:d1#view", "alice document:d2#view")
				inBubble(t, w, nil, func(t *testing.T, c *Cache) {
					if many {
						crowd(t, c, 2*fewEntries)
					}
					s := subscribe(t, c, "alice", document)
					then := decide(t, s, "[d1 d2]")
					later(time.Second)
					changed := s.Changed()
					for _, u := range tt.updates {
						w.write(u) // SpiceDB has seen all of them by the time of the first answer
					}
					later(time.Second)
					if isClosed(changed) != tt.wakes {
						t.Errorf("the reader is woken: %v", isClosed(changed))
					}
					now := decide(t, s, "[d1 d2]")
					if lost, ok := s.Interrupted(then.At); !ok || describe(s, lost) != tt.want {
						t.Errorf("interrupted since then: %s, %v, want %s", describe(s, lost), ok, tt.want)
					}
					if lost, ok := s.Interrupted(now.At); !ok || !lost.IsEmpty() {
						t.Errorf("interrupted since now: %s, %v", describe(s, lost), ok)
					}
				})
			})
		}
	}
}

// Where a permission recurses, a person's own relationship interrupts its object.
func TestARecursivePermissionIsInterruptedByOnesOwnRelationships(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	deps := rests("document#viewer", "document#parent")
	deps.Subjects["document"] = true
	w.deps["document#view"] = deps
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		then := decide(t, s, "[d1 d2]")
		later(time.Second)
		changed := s.Changed()
		w.write("-document:d1#viewer@user:alice")
		w.write("document:d1#viewer@user:alice")
		later(time.Second)
		if lost, ok := s.Interrupted(then.At); !ok || describe(s, lost) != "[d1]" || !isClosed(changed) {
			t.Errorf("interrupted: %s, %v; woken %v", describe(s, lost), ok, isClosed(changed))
		}
	})
}

// A deletion interrupts a decision that is made before its answer, and not one that has
// it.
func TestADecisionKnowsWhatWasHeardBeforeIt(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1 d2]")
		later(time.Second)
		gate := make(chan struct{})
		w.set(func() { w.gates["document:d1#view"] = gate })
		w.write("-document:d1#viewer@user:alice")
		later(10 * time.Millisecond)
		q := s.(*subscription).q
		q.shard.mu.Lock()
		between, err := s.(*subscription).decider.compose(q, time.Now())
		q.shard.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		w.set(func() { delete(w.gates, "document:d1#view") })
		close(gate)
		later(time.Second)
		after := decide(t, s, "[d1 d2]")
		if lost, _ := s.Interrupted(between.At); !lost.Set(0).Has("d1") {
			t.Error("what was heard before a decision, and is not in it, does not interrupt")
		}
		if lost, _ := s.Interrupted(after.At); !lost.IsEmpty() {
			t.Error("what is in a decision interrupts it")
		}
	})
}

func TestANewEntryKnowsOfNoInterruption(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1]")
		if lost, ok := s.Interrupted(authz.Moment{Time: time.Now().Add(-time.Hour)}); !ok || !lost.IsEmpty() {
			t.Errorf("%s, %v", describe(s, lost), ok)
		}
	})
}

// More is remembered than fits nowhere: what is forgotten interrupts everything.
func TestForgottenInterruptionsInterruptEverything(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:kept#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		then := decide(t, s, "[d1 kept]")
		for range mostLost + 10 {
			later(time.Millisecond)
			w.write("-document:d1#viewer@user:alice")
		}
		later(time.Second)
		now := decide(t, s, "[d1 kept]")
		if lost, ok := s.Interrupted(then.At); !ok || describe(s, lost) != "[d1 kept]" {
			t.Errorf("since then: %s, %v", describe(s, lost), ok)
		}
		if lost, ok := s.Interrupted(authz.Moment{Time: time.Now().Add(-time.Second - 10*time.Millisecond)}); !ok || describe(s, lost) != "[d1]" {
			t.Errorf("since a moment ago: %s, %v", describe(s, lost), ok)
		}
		if lost, ok := s.Interrupted(now.At); !ok || !lost.IsEmpty() {
			t.Errorf("since now: %s, %v", describe(s, lost), ok)
		}
	})
}

// A moment that came through a handle has microseconds.
func TestInterruptionsCompareByMicroseconds(t *testing.T) {
	set := authz.NewGrantSet(authz.NewIDs(testKey), func(yield func(string) bool) { yield("d1") })
	at := time.Date(2026, 1, 1, 0, 0, 0, 1500, time.UTC)
	e := &entry{value: value{valid: true, set: set}, past: past{lost: []loss{{ids: set, at: at}}}}
	q := &query{filters: []*entry{e}, shard: &shard{}}
	s := &subscription{q: q}
	for since, want := range map[int]bool{1000: true, 1600: true, 1999: true, 2000: false} {
		lost, _ := s.Interrupted(authz.Moment{Time: at.Truncate(time.Microsecond).Add(time.Duration(since-1000) * time.Nanosecond)})
		if got := lost.Set(0).Has("d1"); got != want {
			t.Errorf("since %d ns: %v", since, got)
		}
	}
}

// A reader comes back at once with each decision that an interruption is not in. So a
// decision must have it as soon as the call is answered, though more is heard all the time.
func TestAnInterruptionIsToldOnceWhileMoreIsHeard(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1 d2]")
		later(time.Second)
		w.set(func() { w.takes = 100 * time.Millisecond })
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil {
				w.write("group:g#member@group:h#member")
				time.Sleep(30 * time.Millisecond) // of the bubble
			}
		})
		later(time.Second)
		w.write("-document:d1#viewer@user:alice") // and it is given back at once
		later(time.Second)
		told := 0
		at := authz.Moment{Time: time.Now().Add(-time.Minute)}
		for range 20 {
			d := decide(t, s, "[d1 d2]")
			if lost, _ := s.Interrupted(at); !lost.IsEmpty() {
				told++
			}
			at = d.At
			later(70 * time.Millisecond)
		}
		if told > 3 {
			t.Errorf("told %d times", told)
		}
		cancel()
		wg.Wait()
	})
}

// What was lost long ago is forgotten, so that what one subject loses now is remembered
// however long the others have been there.
func TestOldInterruptionsLeaveRoomForNewOnes(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d1#view", "bob document:kept#view")
	inBubble(t, w, func(cfg *Config) { cfg.Heartbeat = 2 * time.Second }, func(t *testing.T, c *Cache) {
		alice, bob := subscribe(t, c, "alice", document), subscribe(t, c, "bob", document)
		decide(t, alice, "[d1]")
		decide(t, bob, "[d1 kept]")
		w.write("-document:d1#viewer@user:alice")
		later(time.Second)
		c.sweeper.upkeep.losses.most = c.sweeper.upkeep.losses.bytes.Load()
		later(tokenAge)
		if lost, ok := alice.Interrupted(authz.Moment{Time: time.Now().Add(-tokenAge - time.Second)}); !ok || describe(alice, lost) != "[d1]" {
			t.Errorf("what may be asked about is forgotten: %s, %v", describe(alice, lost), ok)
		}
		later(tokenAge)
		then := decide(t, bob, "[d1 kept]")
		later(time.Second)
		w.write("-document:d1#viewer@user:bob")
		later(time.Second)
		if lost, ok := bob.Interrupted(then.At); !ok || describe(bob, lost) != "[d1]" {
			t.Errorf("%s, %v", describe(bob, lost), ok)
		}
	})
}

// A decision does not know of what the watch has not brought, and names what it brought
// since the last heartbeat. So another replica can tell whether a client was served by one
// that has heard of a loss, though it heard of it earlier, or later.
func TestReplicasTellByItsNameWhetherALossIsInADecision(t *testing.T) {
	const own = "document:d1#viewer@user:alice"
	for _, tt := range []struct {
		name string
		lose func(w *world)
	}{
		{"its own relationship", func(w *world) { w.write("-"+own, "-alice document:d1#view") }},
		{"by a group", func(w *world) { w.write("-group:g#member@user:alice", "-alice document:d1#view") }},
		{"of an object that many see", func(w *world) { w.write("-document:d1#viewer@group:g#member", "-alice document:d1#view") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld("alice document:d1#view", "alice document:d2#view")
			inBubble(t, w, nil, func(t *testing.T, a *Cache) {
				running(t, w, nil, func(b *Cache) {
					at, other := subscribe(t, a, "alice", document), subscribe(t, b, "alice", document)
					before := decide(t, at, "[d1 d2]")
					decide(t, other, "[d1 d2]")
					later(2100 * time.Millisecond)
					tt.lose(w)
					later(200 * time.Millisecond)
					decide(t, at, "[d2]")
					w.write(own, "alice document:d1#view")
					later(200 * time.Millisecond)
					now := decide(t, at, "[d1 d2]")
					if since := time.Since(now.At.Time); since < 400*time.Millisecond {
						t.Errorf("the decision claims to know of everything up to %v ago", since)
					}
					for _, s := range []authz.Subscription{at, other} {
						if lost, _ := s.Interrupted(before.At); describe(s, lost) != "[d1]" {
							t.Errorf("interrupted since the decision before the loss: %s", describe(s, lost))
						}
						if lost, _ := s.Interrupted(now.At); !lost.IsEmpty() {
							t.Errorf("interrupted since the decision after the loss: %s", describe(s, lost))
						}
						if lost, _ := s.Interrupted(authz.Moment{Time: now.At.Time}); describe(s, lost) != "[d1]" {
							t.Errorf("without the name of the loss: %s", describe(s, lost))
						}
					}
				})
			})
		})
	}
}

// What SpiceDB takes away before the watch says so is no part of what an earlier event took.
func TestALossAfterThatOfAnEventIsAnotherOne(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1 d2]")
		later(2500 * time.Millisecond)
		w.write("-group:g#member@user:alice", "-alice document:d1#view")
		later(200 * time.Millisecond)
		knows := decide(t, s, "[d2]")
		for _, hold := range []func(){
			func() { delete(w.held, "alice document:d2#view") },
			func() { w.held["alice document:d2#view"] = true },
		} {
			w.set(hold)
			if _, err := s.Decide(t.Context(), authz.Strict, ""); err != nil {
				t.Fatal(err)
			}
		}
		if lost, ok := s.Interrupted(knows.At); !ok || describe(s, lost) != "[d2]" {
			t.Errorf("interrupted: %s, %v", describe(s, lost), ok)
		}
	})
}

// The answer to one event may have seen that an object was given back and lost once more.
// The second loss is another one: a decision that knows of the first does not know of it.
func TestALossThatAnAnswerHasSeenAlreadyIsALossOfItsOwn(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1 d2]")
		w.write("-document:d1#viewer@user:alice", "-alice document:d1#view")
		later(200 * time.Millisecond)
		then := decide(t, s, "[d2]")
		w.write("-document:d1#viewer@user:alice") // given back and lost again: this event alone is late
		later(200 * time.Millisecond)
		w.write("document:d1#viewer@user:alice", "alice document:d1#view")
		later(200 * time.Millisecond)
		now := decide(t, s, "[d1 d2]")
		if lost, ok := s.Interrupted(then.At); !ok || describe(s, lost) != "[d1]" {
			t.Errorf("interrupted since the first loss: %s, %v", describe(s, lost), ok)
		}
		if lost, ok := s.Interrupted(now.At); !ok || !lost.IsEmpty() {
			t.Errorf("interrupted since now: %s, %v", describe(s, lost), ok)
		}
	})
}

// An object that was interrupted has one loss, whichever call answers: another replica, which
// asked in another way, has the same name for it.
func TestALookupThatAnswersForAnInterruptedObjectNamesNoOtherLoss(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, a *Cache) {
		running(t, w, nil, func(b *Cache) {
			at, other := subscribe(t, a, "alice", document), subscribe(t, b, "alice", document)
			decide(t, at, "[d1 d2]")
			decide(t, other, "[d1 d2]")
			later(time.Second)
			w.set(func() { w.takes = 100 * time.Millisecond })
			strict := func() {
				go func() { _, _ = other.Decide(t.Context(), authz.Strict, "") }()
				synctest.Wait()
			}
			strict() // b asks for all, and meanwhile hears of the loss
			later(50 * time.Millisecond)
			w.write("-document:d1#viewer@user:alice", "-alice document:d1#view")
			synctest.Wait()
			strict() // so it asks for all once more
			later(400 * time.Millisecond)
			w.set(func() { w.takes = 0 })
			w.write("document:d1#viewer@user:alice", "alice document:d1#view")
			later(150 * time.Millisecond) // and no heartbeat has come back since
			now := decide(t, at, "[d1 d2]")
			decide(t, other, "[d1 d2]")
			if lost, _ := other.Interrupted(now.At); !lost.IsEmpty() {
				t.Errorf("interrupted since the other replica's decision: %s", describe(other, lost))
			}
		})
	})
}

// A replica may hear of a loss after the heartbeat of another has come back behind it.
func TestADecisionNamesALossThatAnotherReplicaMayHearOfLate(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1 d2]")
		later(time.Second)
		w.write("-document:d1#viewer@user:alice", "document:d1#viewer@user:alice")
		later(2500 * time.Millisecond) // heartbeats have come back since
		d := decide(t, s, "[d1 d2]")
		e := s.(*subscription).q.filters[0]
		lost := e.past.lost[0]
		if !lost.at.Before(d.At.Time) {
			t.Fatal("no heartbeat came back behind the loss")
		}
		if lost.at = time.Now(); lost.isSince(d.At) { // as the other replica has it
			t.Error("the decision does not name the loss")
		}
		later(6 * time.Second)
		if d = decide(t, s, "[d1 d2]"); len(d.At.Losses) > 0 {
			t.Errorf("%d losses are named for longer than a replica may be late", len(d.At.Losses))
		}
	})
}

// A cache that nobody asks for a while does not look up what a reader gains meanwhile, who
// is served by another process. It may have held the object all the same.
func TestAnObjectIsInterruptedThatMayHaveBeenGainedUnasked(t *testing.T) {
	for _, gained := range []string{"group:g#member@user:alice", "document:d1#viewer@group:g#member"} {
		t.Run(gained, func(t *testing.T) {
			w := newWorld("alice document:d2#view")
			inBubble(t, w, nil, func(t *testing.T, c *Cache) {
				s := subscribe(t, c, "alice", document)
				decide(t, s, "[d2]")
				s.Release()
				later(time.Second)
				w.write(gained, "alice document:d1#view")
				later(time.Second)
				elsewhere := authz.Moment{Time: time.Now()} // another process decides
				later(time.Second)
				w.write("-document:d1#viewer@group:g#member", "-alice document:d1#view")
				w.write("document:d1#viewer@user:alice", "alice document:d1#view")
				later(time.Second)
				s = subscribe(t, c, "alice", document)
				now := decide(t, s, "[d1 d2]")
				if lost, ok := s.Interrupted(elsewhere); !ok || describe(s, lost) != "[d1]" {
					t.Errorf("interrupted: %s, %v", describe(s, lost), ok)
				}
				if lost, ok := s.Interrupted(now.At); !ok || !lost.IsEmpty() {
					t.Errorf("interrupted since now: %s, %v", describe(s, lost), ok)
				}
			})
		})
	}
}

// While SpiceDB cannot evaluate a lookup, its subject holds nothing.
func TestWhatCannotBeEvaluatedForATimeIsInterrupted(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		then := decide(t, s, "[d1]")
		later(time.Second)
		w.set(func() { w.fails["document#view"] = errCycle })
		w.write("group:g#member@group:h#member")
		later(time.Second)
		if _, err := s.Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Unanswerable {
			t.Fatalf("%v", err)
		}
		w.set(func() { delete(w.fails, "document#view") })
		later(2 * unanswerableFor)
		now := decide(t, s, "[d1]")
		if lost, ok := s.Interrupted(then.At); !ok || describe(s, lost) != "[d1]" {
			t.Errorf("interrupted since then: %s, %v", describe(s, lost), ok)
		}
		if lost, ok := s.Interrupted(now.At); !ok || !lost.IsEmpty() {
			t.Errorf("interrupted since now: %s, %v", describe(s, lost), ok)
		}
	})
}
