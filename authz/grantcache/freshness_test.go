package grantcache

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
)

// A watch that restarts half way must not be resumed from where it got to: what was
// revoked in the gap would stay granted.
func TestAWatchThatRestartsHalfWayBeginsAnew(t *testing.T) {
	for _, method := range []string{"Head", "Dependencies", "Watch", "Heartbeat"} {
		for _, kind := range []authz.Kind{authz.Unavailable, authz.Internal} {
			if method == "Dependencies" && kind == authz.Internal {
				continue // a permission of which nothing is said rests on everything
			}
			for moment := range 6 { // the call that fails, and whether those after it do
				restartHalfWay(t, method, kind, moment/2, moment%2 == 0)
			}
		}
	}
}

func restartHalfWay(t *testing.T, method string, kind authz.Kind, spared int, once bool) {
	t.Run(fmt.Sprintf("%s %s after %d, once %v", method, kind, spared, once), func(t *testing.T) {
		w := newWorld("alice document:d1#view", "alice document:d2#view", "bob document:d1#view")
		inBubble(t, w, nil, func(t *testing.T, c *Cache) {
			alice, bob := subscribe(t, c, "alice", document), subscribe(t, c, "bob", document)
			decide(t, alice, "[d1 d2]")
			decide(t, bob, "[d1]")
			bob.Release() // his entry stays, and no reader waits for it
			w.set(func() {
				w.away = errDown
				w.breaks++
			})
			later(100 * time.Millisecond)
			w.set(func() { // what is written in the gap is never brought
				delete(w.held, "alice document:d1#view")
				delete(w.held, "bob document:d1#view")
				w.bring(authz.WatchEvent{Updates: []authz.RelationshipUpdate{parseUpdate("-document:d1#viewer@group:g#member")}})
				w.bring(authz.WatchEvent{})
				w.gone = len(w.events)
				w.away = nil
				w.methods[method] = authz.E(kind, "ask", errors.New("restarting"))
				w.spared, w.once = spared, once
			})
			later(3 * time.Second)
			w.set(func() { delete(w.methods, method) })
			later(20 * time.Second)
			if !c.Current() {
				t.Fatal("the watch does not come back")
			}
			decide(t, alice, "[d2]")
			decide(t, subscribe(t, c, "bob", document), "[]")
		})
	})
}

func TestWhatMayBeTooOldIsAskedForAnew(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		w.set(func() { w.silent = true })
		w.write("document:d1#viewer@user:alice", "-alice document:d1#view")
		changed := l.Changed()
		later(3 * time.Second)
		decide(t, l, "[d1]") // within the bound
		later(3 * time.Second)
		if !isClosed(changed) {
			t.Error("the reader is not woken when nothing is certain any more")
		}
		decide(t, l, "[]")
		w.set(func() { w.silent = false })
		later(2 * time.Second)
		w.questions()
		decide(t, l, "[]")
		asks(t, w) // the heartbeat is back
	})
}

func TestWithoutAnAnswerThereIsNoDecision(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
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
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		w.set(func() { w.breaks++; w.silent = true })
		w.write("document:d2#viewer@user:alice", "alice document:d2#view")
		w.set(func() { w.silent = false })
		later(time.Second)
		decide(t, l, "[d1 d2]")
		asks(t, w, "document:d2#view", "document:d2#view") // once more to be sure, and no lookup
	})
}

func TestATokenThatIsTooOldBeginsAnew(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		alice := subscribe(t, c, "alice", document)
		decide(t, alice, "[d1]")
		bob := subscribe(t, c, "bob", document)
		decide(t, bob, "[d2]")
		bob.Release() // no reader waits for his grants
		w.questions()
		changed := alice.Changed()
		w.set(func() {
			w.breaks++
			w.gone = len(w.events) + 1
			delete(w.held, "alice document:d1#view")
			w.held["alice document:d3#view"] = true
			w.bring(authz.WatchEvent{}) // which is gone as well
		})
		later(time.Second)
		if !isClosed(changed) {
			t.Error("the reader is not woken")
		}
		asks(t, w, "document#view", "document#view") // once more to be sure
		decide(t, alice, "[d3]")
		decide(t, subscribe(t, c, "bob", document), "[d2]")
		asks(t, w, "document#view")
	})
}

// A thousand people wait when SpiceDB goes, and all are answered soon; it is not asked a
// thousand times. When it is back, it is not asked by all at once either.
func TestSpiceDBIsNotStampeded(t *testing.T) {
	const people, calls = 1000, 8
	w := newWorld()
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		all := make([]authz.Subscription, people)
		for i := range all {
			all[i] = subscribe(t, c, fmt.Sprintf("p%d", i), document)
			decide(t, all[i], "[]")
		}
		everybody := func() (failed int) {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for _, l := range all {
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
			t.Errorf("the last was answered after %s", took)
		}
		if w.calls > 2*calls {
			t.Errorf("SpiceDB, which is away, was asked %d times", w.calls)
		}

		w.set(func() {
			w.away = nil
			w.gone = len(w.events) + 1
			w.bring(authz.WatchEvent{})
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
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
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
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
		decide(t, l, "[d1]")
		w.mu.Lock()
		w.unreadable = 2
		w.deps["document#view"] = rests("document#reader")
		w.bring(authz.WatchEvent{SchemaChanged: true})
		w.bring(authz.WatchEvent{Updates: []authz.RelationshipUpdate{parseUpdate("folder:f1#viewer@user:bob")}, Checkpoint: true})
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

func TestWithoutTheHeartbeatGrantsAreLookedUpNowAndThen(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d1#view")
	w.heartbeat = false
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		alice, bob := subscribe(t, c, "alice", document), subscribe(t, c, "bob", document)
		decide(t, alice, "[d1]")
		decide(t, bob, "[d1]")
		bob.Release()
		w.questions()
		w.set(func() { w.silent = true }) // nothing shows it
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
			inBubble(t, w, nil, func(t *testing.T, c *Cache) {
				l, err := c.Subscribe(q)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Release()
				decide(t, l, "[d1]")
				changed := l.Changed()
				w.set(func() { delete(w.held, "alice document:d1#view") }) // in silence
				later(5 * time.Second)
				if !isClosed(changed) {
					t.Error("the reader is not woken")
				}
				decide(t, l, "[]")
			})
		})
	}
}

// While heartbeats cannot be written nothing proves the watch current: SpiceDB is asked,
// and the heartbeat is tried again for ever, whatever it fails with.
func TestAHeartbeatThatFailsIsTriedAgainForEver(t *testing.T) {
	for _, kind := range []authz.Kind{authz.Unavailable, authz.Internal, authz.Invalid, authz.Unanswerable, authz.Denied} {
		w := newWorld("alice document:d1#view")
		var log strings.Builder
		registry := prometheus.NewRegistry()
		observed := func(cfg *Config) {
			cfg.Logger, cfg.Registerer = slog.New(slog.NewTextHandler(&log, nil)), registry
		}
		inBubble(t, w, observed, func(t *testing.T, c *Cache) {
			s := subscribe(t, c, "alice", document)
			decide(t, s, "[d1]")
			w.set(func() { w.methods["Heartbeat"] = authz.E(kind, "heartbeat", errors.New("no")) })
			later(90 * time.Second)
			if c.Current() {
				t.Errorf("%s: the watch counts as current", kind)
			}
			if n := gaugeOf(t, registry, "shapegate_heartbeat_failing"); n != 1 {
				t.Errorf("%s: the gauge is %v", kind, n)
			}
			if n := strings.Count(log.String(), "heartbeat cannot be written"); n != 2 {
				t.Errorf("%s: %d lines in 90 s", kind, n)
			}
			w.questions()
			decide(t, s, "[d1]")
			asks(t, w, "document#view")
			w.set(func() { delete(w.methods, "Heartbeat") })
			later(10 * time.Second)
			if n := gaugeOf(t, registry, "shapegate_heartbeat_failing"); !c.Current() || n != 0 {
				t.Errorf("%s: it is not tried again", kind)
			}
		})
	}
}

func TestACacheThatIsNotRunAsksForEverything(t *testing.T) {
	w := newWorld("alice document:d1#view")
	c := newCache(t, w, nil)
	l := subscribe(t, c, "alice", document)
	for range 3 {
		decide(t, l, "[d1]")
		asks(t, w, "document#view")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("after its end: %v", err)
	}
}

func gaugeOf(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// A revision may come in several events: it is one to resume from when the next has begun,
// or when SpiceDB says that all of it was sent.
func TestPosition(t *testing.T) {
	p := position{newest: "0", resume: "0"}
	for _, step := range []struct {
		event authz.WatchEvent
		want  authz.ZedToken
	}{
		{authz.WatchEvent{Through: "1"}, "0"},
		{authz.WatchEvent{Through: "1"}, "0"},
		{authz.WatchEvent{Through: "2"}, "1"},
		{authz.WatchEvent{Through: "2", Checkpoint: true}, "2"},
		{authz.WatchEvent{Through: "3"}, "2"},
	} {
		if p.took(&step.event); p.resume != step.want {
			t.Errorf("after %s: resumed from %s, want %s", step.event.Through, p.resume, step.want)
		}
	}
}
