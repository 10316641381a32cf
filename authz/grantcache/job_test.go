package grantcache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// crowd subscribes many people to the documents, and has all of them decide.
func crowd(t *testing.T, c *Cache, n int) []authz.Subscription {
	t.Helper()
	all := make([]authz.Subscription, n)
	for i := range all {
		all[i] = subscribe(t, c, fmt.Sprintf("p%d", i), document)
		if _, err := all[i].Decide(t.Context(), authz.Bounded, ""); err != nil {
			t.Fatal(err)
		}
	}
	later(time.Second)
	return all
}

func everybody(n int, what string) (holds []string) {
	for i := range n {
		holds = append(holds, fmt.Sprintf("p%d %s", i, what))
	}
	return holds
}

func TestAnObjectThatChangedForManyIsLookedUpOnce(t *testing.T) {
	const people = 10_000
	w := newWorld()
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		all := crowd(t, c, people)
		var changed []<-chan struct{}
		for _, s := range all {
			changed = append(changed, s.Changed())
		}
		w.questions()
		w.write("document:d9#viewer@group:g#member", everybody(people-1, "document:d9#view")...)
		synctest.Wait()
		asks(t, w, "document:d9#view@user")
		for i, s := range all[:people-1] {
			if !isClosed(changed[i]) {
				t.Fatalf("reader %d is not woken", i)
			}
			decide(t, s, "[d9]")
		}
		if isClosed(changed[people-1]) {
			t.Error("a reader that it does not concern is woken")
		}
		decide(t, all[people-1], "[]")
		later(time.Minute / 2)
		asks(t, w, "document:d9#view@user") // once more to be sure, and no more
	})
}

// A revocation is applied to everybody who held the object.
func TestAnObjectThatIsTakenFromManyIsLookedUpOnce(t *testing.T) {
	const people = 20
	w := newWorld(everybody(people, "document:d1#view")...)
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		all := crowd(t, c, people)
		then := decide(t, all[3], "[d1]")
		w.questions()
		var gone []string
		for _, h := range everybody(people-1, "document:d1#view") {
			gone = append(gone, "-"+h)
		}
		w.write("-document:d1#viewer@group:g#member", gone...)
		synctest.Wait()
		asks(t, w, "document:d1#view@user")
		decide(t, all[3], "[]")
		decide(t, all[people-1], "[d1]")
		if lost, ok := all[3].Interrupted(then.At); !ok || describe(all[3], lost) != "" && !lost.Set(0).Has("d1") {
			t.Errorf("interrupted: %s, %v", describe(all[3], lost), ok)
		}
	})
}

// A subject that LookupSubjects names with a condition, or that a wildcard excludes with
// one, asks for itself.
func TestWhatDependsOnTheContextIsCheckedAlone(t *testing.T) {
	const people = 10
	for _, tt := range []struct {
		name  string
		found []authz.SubjectFound
		asks  []string // besides the lookup
		want  map[int]string
	}{
		{"a wildcard", []authz.SubjectFound{{ID: "*"}}, nil, map[int]string{0: "[d9]", 1: "[d9]"}},
		{
			"a wildcard that excludes", []authz.SubjectFound{{ID: "*", Excluded: map[string]bool{"p1": false}}},
			nil, map[int]string{0: "[d9]", 1: "[]", 2: "[d9]"},
		},
		{
			"a wildcard that excludes on a condition", []authz.SubjectFound{{ID: "*", Excluded: map[string]bool{"p1": true}}},
			[]string{"document:d9#view"}, map[int]string{0: "[d9]", 1: "[d9]"},
		},
		{
			"one who is excluded and named", []authz.SubjectFound{{ID: "*", Excluded: map[string]bool{"p1": false}}, {ID: "p1"}},
			nil, map[int]string{0: "[d9]", 1: "[d9]"},
		},
		{
			"one on a condition", []authz.SubjectFound{{ID: "p1", Conditional: true}},
			[]string{"document:d9#view"}, map[int]string{0: "[]", 1: "[d9]"},
		},
		{
			"one on a condition and without", []authz.SubjectFound{{ID: "p1", Conditional: true}, {ID: "p1"}},
			nil, map[int]string{0: "[]", 1: "[d9]"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			inBubble(t, w, nil, func(t *testing.T, c *Cache) {
				var all []authz.Subscription
				for i := range people {
					s := subscribeTo(t, c, authz.Question{
						Subject: person(fmt.Sprintf("p%d", i)), Rule: authz.Rule{Filters: []authz.Filter{document}},
						Context: map[string]any{"network": "office"},
					})
					decide(t, s, "[]")
					all = append(all, s)
				}
				later(time.Second)
				w.questions()
				w.set(func() {
					w.subjects["document:d9#view"] = tt.found
					w.checked["p1 document:d9#view"] = true
				})
				w.write("document:d9#viewer@user:*")
				synctest.Wait()
				asks(t, w, append(tt.asks, "document:d9#view@user")...)
				for i, want := range tt.want {
					decide(t, all[i], want)
				}
			})
		})
	}
}

// Where LookupSubjects cannot be answered, everybody asks for themselves.
func TestAnObjectThatCannotBeLookedUpIsCheckedOneByOne(t *testing.T) {
	const people = 12
	w := newWorld()
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		all := crowd(t, c, people)
		w.questions()
		w.set(func() { w.fails["document:d9#view@user"] = errCycle })
		w.write("document:d9#viewer@group:g#member", everybody(people-1, "document:d9#view")...)
		synctest.Wait()
		decide(t, all[0], "[d9]")
		decide(t, all[people-1], "[]")
		if n := len(w.questions()); n != people+1 {
			t.Errorf("%d questions", n)
		}
	})
}

func TestAfterAJobThatFailsItsObjectIsAskedAgain(t *testing.T) {
	const people = 12
	w := newWorld()
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		all := crowd(t, c, people)
		w.set(func() { w.fails["document:d9#view@user"] = errDown })
		w.write("document:d9#viewer@group:g#member", everybody(people, "document:d9#view")...)
		later(time.Second)
		decide(t, all[0], "[d9]")
	})
}

// An answer about one object that comes before a lookup's, and was asked later, stays.
func TestALookupThatComesLateDoesNotUndoAnAnswer(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		all := crowd(t, c, 10) // so that objects are looked up for all
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1]")
		later(time.Second)
		gate := make(chan struct{})
		w.set(func() { w.gates["document#view"] = gate })
		w.write("group:g#member@user:alice")
		synctest.Wait() // the lookup waits, with its answer from now
		w.write("document:d9#viewer@group:g#member", "alice document:d9#view")
		w.write("document:d1#viewer@group:g#member", "-alice document:d1#view")
		synctest.Wait()
		w.set(func() { delete(w.gates, "document#view") })
		close(gate)
		decide(t, s, "[d9]")
		decide(t, all[0], "[]")
	})
}

func TestADecisionWaitsForWhatWasHeardAndNotForTheSecondAnswer(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1]")
		later(time.Second)
		gate := make(chan struct{})
		w.set(func() { w.gates["document:d2#view"] = gate })
		w.write("document:d2#viewer@user:alice", "alice document:d2#view")
		synctest.Wait()
		decided := make(chan authz.Decision, 1)
		go func() { decided <- decide(t, s, "[d1 d2]") }()
		synctest.Wait()
		if len(decided) > 0 {
			t.Fatal("it is decided without what was heard")
		}
		gate <- struct{}{} // and the second call waits
		<-decided
		later(200 * time.Millisecond)
		before := time.Now()
		decide(t, s, "[d1 d2]")
		if waited := time.Since(before); waited > 0 {
			t.Errorf("a decision waited %s for the second answer", waited)
		}
		w.set(func() { delete(w.gates, "document:d2#view") })
		close(gate)
	})
}

// One item that SpiceDB cannot evaluate is a denial of that item.
func TestAnItemThatCannotBeEvaluatedSpoilsNoOther(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1]")
		w.set(func() { w.items["alice document:loop#view"] = errCycle })
		w.mu.Lock()
		w.held["alice document:d2#view"] = true
		w.bring(authz.WatchEvent{Updates: []authz.RelationshipUpdate{
			parseUpdate("document:loop#viewer@user:alice"), parseUpdate("document:d2#viewer@user:alice"),
		}})
		w.mu.Unlock()
		synctest.Wait()
		decide(t, s, "[d1 d2]")
		// One that was not answered is asked again.
		w.set(func() { w.items["alice document:d3#view"] = errDown })
		w.write("document:d3#viewer@user:alice", "alice document:d3#view")
		synctest.Wait()
		decide(t, s, "[d1 d2 d3]") // by a lookup
	})
}

// What cannot be evaluated is not asked again and again, and is answered again soon after
// it can be.
func TestWhatCannotBeEvaluatedIsAskedNowAndThen(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		w.set(func() { w.fails["document#view"] = errCycle })
		s := subscribe(t, c, "alice", document)
		for range 100 {
			if _, err := s.Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Unanswerable {
				t.Fatalf("%v", err)
			}
			w.write("group:g#member@user:alice")
			later(100 * time.Millisecond)
		}
		if n := len(w.questions()); n < 2 || n > 5 {
			t.Errorf("SpiceDB was asked %d times in 10 s", n)
		}
		w.set(func() { delete(w.fails, "document#view") })
		later(unanswerableFor + time.Second)
		decide(t, s, "[d1]")

		edit := authz.Filter{ResourceType: "document", Permission: "edit"}
		gone := subscribe(t, c, "alice", edit)
		for range 10 {
			if _, err := gone.Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Unanswerable {
				t.Fatalf("%v", err)
			}
		}
		if w.reads["document#edit"] != 1 {
			t.Errorf("SpiceDB was asked %d times for a permission that it does not have", w.reads["document#edit"])
		}
		w.mu.Lock()
		w.deps["document#edit"] = rests("document#viewer")
		w.held["alice document:d1#edit"] = true
		w.bring(authz.WatchEvent{SchemaChanged: true})
		w.mu.Unlock()
		later(time.Second)
		decide(t, gone, "[d1]")
	})
}

func TestFindings(t *testing.T) {
	f := findings{}
	f.add(authz.SubjectFound{ID: "*", Excluded: map[string]bool{"a": false}})
	f.add(authz.SubjectFound{ID: "*", Excluded: map[string]bool{"b": false}})
	e := &entry{entryKey: entryKey{subject: person("a").ObjectRef}}
	if held, known := f.of(e); held || known {
		t.Errorf("of two wildcards: %v, %v", held, known)
	}
	if held, known := (*findings)(nil).of(e); held || known {
		t.Errorf("of none: %v, %v", held, known)
	}
}

// Where many sets are looked up again, those of blocked readers come first.
func TestABlockedReaderComesFirst(t *testing.T) {
	const people = 50
	w := newWorld()
	inBubble(t, w, func(cfg *Config) { cfg.Calls = 1 }, func(t *testing.T, c *Cache) {
		all := crowd(t, c, people)
		w.set(func() { w.takes = 10 * time.Millisecond })
		w.write("group:g#member@group:h#member")
		later(debounce + time.Millisecond)
		newcomer := subscribe(t, c, "newcomer", document)
		for _, s := range []authz.Subscription{all[0], all[people/2], all[people-1], newcomer} {
			before := time.Now()
			decide(t, s, "[]")
			if waited := time.Since(before); waited > 25*time.Millisecond {
				t.Errorf("a reader waited %s", waited)
			}
		}
	})
}

// Many gates on many objects: a change of one concerns those on it.
func TestAChangeOfOneObjectAmongManyGatesIsChecked(t *testing.T) {
	var holds []string
	for i := range 3 * fewEntries {
		holds = append(holds, fmt.Sprintf("alice project:p%d#view", i))
	}
	w := newWorld(holds...)
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		var all []authz.Subscription
		for i := range 3 * fewEntries {
			on := authz.ObjectRef{Type: "project", ID: fmt.Sprint("p", i)}
			s := subscribeRule(t, c, "alice", authz.Rule{Gate: &authz.Requirement{Resource: on, Permission: "view"}})
			decide(t, s, "everything")
			all = append(all, s)
		}
		later(time.Second)
		w.questions()
		w.write("-project:p3#viewer@group:g#member", "-alice project:p3#view")
		synctest.Wait()
		asks(t, w, "project:p3#view")
		if _, err := all[3].Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Denied {
			t.Errorf("%v", err)
		}
		decide(t, all[4], "everything")
	})
}

// Unused entries are asked once more too, at their next use.
func TestAnAnswerSoonAfterAWriteIsAskedForOnceMoreThoughItsReaderLeft(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1]")
		later(time.Second)
		w.write("document:d9#viewer@user:alice") // and SpiceDB does not see it yet
		synctest.Wait()
		decide(t, s, "[d1]")
		s.Release()
		w.set(func() { w.held["alice document:d9#view"] = true })
		later(time.Second)
		decide(t, subscribe(t, c, "alice", document), "[d1 d9]")
	})
}

// A reader that comes while a call is under way waits for a call that begins later. It is
// asked for also when the call that was under way fails.
func TestAReaderThatComesDuringACallThatFailsIsAnswered(t *testing.T) {
	w := newWorld()
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
		gate := make(chan struct{})
		w.set(func() { w.gates["document#view"], w.fails["document#view"] = gate, errors.New("once") })
		go func() { _, _ = l.Decide(t.Context(), authz.Bounded, "") }()
		synctest.Wait()
		w.set(func() { clear(w.gates); clear(w.fails) })
		w.write("document:d1#viewer@user:alice", "alice document:d1#view")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		second := make(chan error, 1)
		go func() {
			_, err := l.Decide(ctx, authz.Bounded, "")
			second <- err
		}()
		synctest.Wait()
		close(gate)
		if err := <-second; err != nil {
			t.Errorf("the second reader: %v", err)
		}
		decide(t, l, "[d1]")
	})
}
