package live

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
)

func TestWhatMayBeTooOldIsAskedForAnew(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		w.set(func() { w.silent = true })
		w.write("document:d1#viewer@user:alice", "-alice document:d1#view")
		changed := l.Changed()
		later(3 * time.Second)
		decide(t, l, "[d1]") // within the bound
		later(3 * time.Second)
		if !isClosed(changed) {
			t.Error("whoever waits is not told that nothing is certain any more")
		}
		decide(t, l, "[]")
		w.set(func() { w.silent = false })
		later(2 * time.Second)
		w.questions()
		decide(t, l, "[]")
		asks(t, w) // the canary is back
	})
}

func TestWithoutAnAnswerThereIsNoDecision(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		w.set(func() { w.away = errDown })
		later(time.Second)
		decide(t, l, "[d1]") // within the bound
		later(10 * time.Second)
		if _, err := l.Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("%v", err)
		}
		w.set(func() { w.away = nil })
		later(10 * time.Second)
		decide(t, l, "[d1]")
		w.questions()
		decide(t, l, "[d1]")
		asks(t, w) // it is kept current again
	})
}

func TestABrokenWatchGoesOnWhereItWas(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		then := decide(t, l, "[d1]")
		w.questions()
		w.set(func() { w.breaks++; w.silent = true })
		w.write("document:d2#viewer@user:alice", "alice document:d2#view")
		w.set(func() { w.silent = false })
		later(time.Second)
		now := decide(t, l, "[d1 d2]")
		asks(t, w, "document:d2#view", "document:d2#view") // once more to be sure, and no lookup
		if c, ok := l.Since(now, then.Mark, then.Name); !ok || !c.Exact || sets(c.Gained) != "[d2]" {
			t.Errorf("known: %v", ok)
		}
	})
}

func TestATokenThatIsTooOldBeginsAnew(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		alice := open(t, k, "alice", document)
		then := decide(t, alice, "[d1]")
		bob := open(t, k, "bob", document)
		decide(t, bob, "[d2]")
		bob.Release() // nobody waits for what he sees
		w.questions()
		changed := alice.Changed()
		w.set(func() {
			w.breaks++
			w.gone = len(w.events) + 1
			delete(w.held, "alice document:d1#view")
			w.held["alice document:d3#view"] = true
			w.tell(authz.WatchEvent{}) // which is gone as well
		})
		later(time.Second)
		if !isClosed(changed) {
			t.Error("whoever waits is not told")
		}
		asks(t, w, "document#view", "document#view") // once more to be sure
		now := decide(t, alice, "[d3]")
		c, ok := alice.Since(now, then.Mark, then.Name)
		if !ok || sets(c.Lost)+sets(c.Gained) != "[d1][d3]" {
			t.Errorf("known: %v, lost and gained %s%s", ok, sets(c.Lost), sets(c.Gained))
		}
		if c.Exact {
			t.Error("what happened in between is said to be known")
		}
		decide(t, open(t, k, "bob", document), "[d2]")
		asks(t, w, "document#view")
	})
}

// A thousand people wait when SpiceDB goes, and all are told soon; it is not asked a
// thousand times. When it is back, it is not asked by all at once either.
func TestSpiceDBIsNotStampeded(t *testing.T) {
	const people, calls = 1000, 8
	w := newWorld()
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		leases := make([]authz.Lease, people)
		for i := range leases {
			leases[i] = open(t, k, fmt.Sprintf("p%d", i), document)
			decide(t, leases[i], "[]")
		}
		everybody := func() (failed int) {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for _, l := range leases {
				wg.Go(func() {
					if _, err := l.Decide(t.Context(), authz.Bounded, ""); err != nil {
						mu.Lock()
						failed++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			return failed
		}
		w.questions()
		w.set(func() { w.away = errDown; w.takes = 400 * time.Millisecond })
		later(10 * time.Second)
		w.questions()
		began := time.Now()
		if failed := everybody(); failed != people {
			t.Errorf("%d of %d decisions failed", failed, people)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the last was told after %s", took)
		}
		if w.calls > 2*calls {
			t.Errorf("SpiceDB, which is away, was asked %d times", w.calls)
		}

		w.set(func() {
			w.away = nil
			w.gone = len(w.events) + 1
			w.tell(authz.WatchEvent{})
			w.takes = 10 * time.Millisecond
		})
		w.questions()
		later(10 * time.Second)
		if w.calls < people {
			t.Errorf("%d calls for %d people's grants, which have to be looked up again", w.calls, people)
		}
		if w.most > calls {
			t.Errorf("%d calls at the same time", w.most)
		}
		if failed := everybody(); failed > 0 {
			t.Errorf("%d decisions failed", failed)
		}
	})
}

func TestALateAnswerDoesNotHideALaterChange(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		gate := make(chan struct{})
		w.set(func() { w.gates["document#view"] = gate })
		w.write("group:g#member@user:alice")
		synctest.Wait() // the lookup waits, with its answer from now
		w.write("document:d1#viewer@user:alice", "-alice document:d1#view")
		synctest.Wait()
		w.set(func() { delete(w.gates, "document#view") })
		close(gate)
		decide(t, l, "[]")
	})
}

// Until it is known what permissions rest on, no event is taken in; it comes again.
func TestASchemaThatCannotBeReadAtFirstIsReadAgain(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		w.mu.Lock()
		w.unreadable = 2
		w.deps["document#view"] = rests("document#reader")
		w.tell(authz.WatchEvent{SchemaChanged: true})
		w.tell(authz.WatchEvent{Updates: []authz.RelationshipUpdate{parseUpdate("folder:f1#viewer@user:bob")}, Checkpoint: true})
		w.mu.Unlock()
		later(10 * time.Second)
		changed := l.Changed()
		w.write("document:d2#reader@user:alice", "alice document:d2#view")
		later(time.Second)
		if !isClosed(changed) {
			t.Error("the new schema was never read")
		}
		decide(t, l, "[d1 d2]")
	})
}

func TestWithoutACanaryGrantsAreLookedUpNowAndThen(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d1#view")
	w.canary = false
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		alice, bob := open(t, k, "alice", document), open(t, k, "bob", document)
		decide(t, alice, "[d1]")
		decide(t, bob, "[d1]")
		bob.Release()
		w.questions()
		w.set(func() { w.silent = true }) // nobody notices
		w.write("document:d1#viewer@user:alice", "-alice document:d1#view")
		later(31 * time.Second)
		decide(t, alice, "[]")
		asks(t, w, "document#view") // hers, which she waits for, and not bob's

		// A break is noticed at once: what is held is looked up again.
		w.set(func() { w.breaks++; w.silent = false })
		later(time.Second)
		if len(w.questions()) == 0 {
			t.Error("nothing was asked again after a break")
		}
	})
}

func TestWhatChangesWithTimeIsAskedForNowAndThen(t *testing.T) {
	for name, change := range map[string]func(*world, *authz.Question){
		"the clock is in the caveat context": func(_ *world, q *authz.Question) { q.Clock = []string{"now"} },
		"relationships may expire": func(w *world, _ *authz.Question) {
			d := w.deps["document#view"]
			d.Expiring = true
			w.deps["document#view"] = d
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld("alice document:d1#view")
			q := authz.Question{Subject: person("alice"), Rule: authz.Rule{Filters: []authz.Filter{document}}}
			change(w, &q)
			inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
				l, err := k.Open(q)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Release()
				decide(t, l, "[d1]")
				changed := l.Changed()
				w.set(func() { delete(w.held, "alice document:d1#view") }) // in silence
				later(5 * time.Second)
				if !isClosed(changed) {
					t.Error("whoever waits is not told")
				}
				decide(t, l, "[]")
			})
		})
	}
}

func TestASpiceDBThatTakesNoCanaryIsWatchedWithoutOne(t *testing.T) {
	w := newWorld("alice document:d1#view")
	synctest.Test(t, func(t *testing.T) {
		w.changed = make(chan struct{}) // of the bubble
		k := newKeeper(t, w, nil)
		k.engine = readOnly{w}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.Run(ctx) }()
		later(time.Second)
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		later(10 * time.Second)
		decide(t, l, "[d1]")
		asks(t, w)
		cancel()
		<-done
		_ = k.Close()
	})
}

type readOnly struct{ *world }

func (readOnly) Beat(context.Context, string, uint64) error {
	return authz.E(authz.Internal, "beat", context.DeadlineExceeded)
}

func TestAKeeperThatIsNotRunAsksForEverything(t *testing.T) {
	w := newWorld("alice document:d1#view")
	k := newKeeper(t, w, nil)
	l := open(t, k, "alice", document)
	for range 3 {
		decide(t, l, "[d1]")
		asks(t, w, "document#view")
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("after its end: %v", err)
	}
}
