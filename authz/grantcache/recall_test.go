package grantcache

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// elsewhere is another process, or the same after a restart: it watches the same SpiceDB
// and has decided nothing.
func elsewhere(t *testing.T, w *world) *Cache {
	t.Helper()
	c := newCache(t, w, nil)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAnotherProcessRecallsGrantsAtTheirRevision(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view", "alice project:p#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		there := subscribe(t, elsewhere(t, w), "alice", document, project)
		s := subscribe(t, c, "alice", document, project)
		then := decide(t, s, "[d1 d2] [p]")
		w.write("document:d1#viewer@user:alice", "-alice document:d1#view")
		w.write("project:q#viewer@user:alice", "alice project:q#view")
		later(time.Second)
		decide(t, s, "[d2] [p q]")
		w.questions()
		g, err := there.Recall(t.Context(), then.Fingerprint, then.Tokens)
		if err != nil || describe(there, g) != "[d1 d2] [p]" {
			t.Fatalf("%s, %v", describe(there, g), err)
		}
		asks(t, w, "document#view at "+string(then.Tokens[0]), "project#view at "+string(then.Tokens[1]))
		if _, err := there.Recall(t.Context(), then.Fingerprint, then.Tokens); err != nil {
			t.Error(err)
		}
		asks(t, w) // it is remembered
	})
}

func TestWhatCannotBeRecalledIsForgotten(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		there := subscribe(t, elsewhere(t, w), "alice", document)
		then := decide(t, subscribe(t, c, "alice", document), "[d1]")
		for name, recall := range map[string]struct {
			f      authz.Fingerprint
			tokens []authz.ZedToken
		}{
			"no token":                    {then.Fingerprint, nil},
			"a token too many":            {then.Fingerprint, append(then.Tokens, "1")},
			"a revision that is gone":     {then.Fingerprint, []authz.ZedToken{"gone"}},
			"another fingerprint":         {authz.Fingerprint{1}, then.Tokens},
			"an empty answer's, of a set": {then.Fingerprint, []authz.ZedToken{""}},
		} {
			if _, err := there.Recall(t.Context(), recall.f, recall.tokens); !errors.Is(err, authz.ErrForgotten) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.set(func() { w.away = errDown })
		if _, err := there.Recall(t.Context(), then.Fingerprint, then.Tokens); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("while SpiceDB is away: %v", err)
		}
	})
}

// SpiceDB names no revision of an empty answer.
func TestAnEmptySetIsRecalledWithoutARevision(t *testing.T) {
	w := newWorld("alice document:d1#view")
	w.emptyToken = true
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		there := subscribe(t, elsewhere(t, w), "alice", document, project)
		then := decide(t, subscribe(t, c, "alice", document, project), "[d1] []")
		if g, err := there.Recall(t.Context(), then.Fingerprint, then.Tokens); err != nil || describe(there, g) != "[d1] []" {
			t.Errorf("%s, %v", describe(there, g), err)
		}
		all := authz.Everything()
		if g, err := there.Recall(t.Context(), all.Fingerprint(testKey, ""), nil); err != nil || !g.IsEverything() {
			t.Errorf("everything: %s, %v", describe(there, g), err)
		}
	})
}

// A set may have been composed while a change of another object was on its way: then it
// is that of no revision, and differs from one in what changed about then.
func TestASetBetweenTwoRevisionsIsRecalled(t *testing.T) {
	for _, isLater := range []bool{false, true} {
		t.Run(fmt.Sprint("in a process that began later ", isLater), func(t *testing.T) {
			w := newWorld("alice document:d1#view", "alice document:d2#view")
			inBubble(t, w, nil, func(t *testing.T, c *Cache) {
				s := subscribe(t, c, "alice", document)
				decide(t, s, "[d1 d2]")
				later(time.Second)
				between := authz.GrantsOf(authz.NewGrantSet(authz.NewIDs(testKey), func(yield func(string) bool) {
					_ = yield("d1") && yield("d2") && yield("d3")
				}))
				w.write("document:d1#viewer@user:alice", "-alice document:d1#view")
				w.write("document:d3#viewer@user:alice", "alice document:d3#view")
				later(time.Second)
				if isLater {
					s = subscribe(t, elsewhere(t, w), "alice", document)
				}
				decide(t, s, "[d2 d3]")
				w.questions()
				g, err := s.Recall(t.Context(), between.Fingerprint(testKey, ""), []authz.ZedToken{"0"})
				if err != nil || describe(s, g) != "[d1 d2 d3]" {
					t.Errorf("%s, %v", describe(s, g), err)
				}
				if n := len(w.questions()); (n > 0) != isLater {
					t.Errorf("%d questions", n)
				}
			})
		})
	}
}

// A set that another process composed while an event was on its way to it has the change of
// the one object, and not yet that of the other, which came before. This process has looked
// the set up as a whole since, and both are gone again.
func TestASetThatLacksAnOlderChangeIsRecalled(t *testing.T) {
	for name, older := range map[string]struct{ before, after, between, today string }{
		"a gain": {"[d1]", "[d1 d2 d3]", "[d1 d3]", "[d1 d2]"},
		"a loss": {"[d1 d2]", "[d1 d3]", "[d1 d2 d3]", "[d1]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(held(older.before)...)
			inBubble(t, w, nil, func(t *testing.T, c *Cache) {
				s := subscribe(t, c, "alice", document)
				decide(t, s, older.before)
				later(time.Second)
				w.write("group:g#member@user:alice", rewrite(older.before, older.after)...)
				later(time.Second)
				then := decide(t, s, older.after)
				w.write("group:h#member@user:alice", rewrite(older.after, older.today)...)
				later(time.Second)
				decide(t, s, older.today)
				between := authz.GrantsOf(authz.NewGrantSet(authz.NewIDs(testKey), slices.Values(strings.Fields(strings.Trim(older.between, "[]")))))
				g, err := s.Recall(t.Context(), between.Fingerprint(testKey, ""), then.Tokens)
				if err != nil || describe(s, g) != older.between {
					t.Errorf("%s, %v", describe(s, g), err)
				}
			})
		})
	}
}

// held are the facts that a set stands for.
func held(set string) (facts []string) {
	for _, id := range strings.Fields(strings.Trim(set, "[]")) {
		facts = append(facts, "alice document:"+id+"#view")
	}
	return facts
}

// rewrite are the facts that make one set another.
func rewrite(from, to string) (facts []string) {
	for _, fact := range held(from) {
		if !slices.Contains(held(to), fact) {
			facts = append(facts, "-"+fact)
		}
	}
	return append(facts, held(to)...)
}

func TestReadersThatRecallTheSameGrantsShareACall(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		there := subscribe(t, elsewhere(t, w), "alice", document)
		then := decide(t, subscribe(t, c, "alice", document), "[d1]")
		w.questions()
		w.set(func() { w.takes = 100 * time.Millisecond })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := there.Recall(t.Context(), then.Fingerprint, then.Tokens); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		asks(t, w, "document#view at "+string(then.Tokens[0]))
	})
}

// One subject cannot make SpiceDB look up without end, and does not keep others from it.
func TestForcedLookupsAreLimitedBySubject(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d1#view")
	inBubble(t, w, func(cfg *Config) { cfg.Forced = 60 }, func(t *testing.T, c *Cache) {
		alice, bob := subscribe(t, c, "alice", document), subscribe(t, c, "bob", document)
		decide(t, alice, "[d1]")
		decide(t, bob, "[d1]")
		w.questions()
		var wg sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for i := range 100 {
			wg.Go(func() {
				_, err := alice.Decide(t.Context(), authz.Bounded, authz.ZedToken(fmt.Sprint("token", i)))
				mu.Lock()
				defer mu.Unlock()
				if authz.KindOf(err) == authz.Unavailable && err != nil {
					refused++
				}
			})
		}
		if _, err := bob.Decide(t.Context(), authz.Bounded, "bob's"); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if refused < 85 {
			t.Errorf("%d of 100 were refused", refused)
		}
		decide(t, alice, "[d1]") // what is cached costs nothing
		later(10 * time.Second)
		if _, err := alice.Decide(t.Context(), authz.Bounded, "later"); err != nil {
			t.Error(err)
		}
	})
}

// After a restart many readers ask for grants of the past at once. They wait for each
// other, and leave room for the calls that decisions wait for.
func TestRecallsOfManySubjectsAreBounded(t *testing.T) {
	const subjects, calls = 40, 4
	w := newWorld()
	for i := range subjects {
		w.held[fmt.Sprintf("p%d document:d1#view", i)] = true
	}
	w.past["1"] = w.held
	inBubble(t, w, func(cfg *Config) { cfg.Calls = calls }, func(t *testing.T, c *Cache) {
		w.questions()
		w.set(func() { w.takes = 100 * time.Millisecond })
		one := authz.GrantsOf(authz.NewGrantSet(authz.NewIDs(testKey), slices.Values([]string{"d1"})))
		var wg sync.WaitGroup
		for i := range subjects {
			s := subscribe(t, c, fmt.Sprint("p", i), document)
			wg.Go(func() {
				if g, err := s.Recall(t.Context(), one.Fingerprint(testKey, ""), []authz.ZedToken{"1"}); err != nil || describe(s, g) != "[d1]" {
					t.Errorf("%s, %v", describe(s, g), err)
				}
			})
		}
		wg.Wait()
		w.set(func() {
			if w.most > calls {
				t.Errorf("%d recalls at once", w.most)
			}
		})
	})
}

func TestATokenThatSpiceDBRefusesIsInvalid(t *testing.T) {
	w := newWorld("alice document:d1#view")
	w.fails["reach made up"] = authz.E(authz.Invalid, "reach", errors.New("no token"))
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		decide(t, s, "[d1]")
		w.questions()
		if _, err := s.Decide(t.Context(), authz.Bounded, "made up"); authz.KindOf(err) != authz.Invalid || !errors.Is(err, authz.ErrFreshness) {
			t.Errorf("%v", err)
		}
		asks(t, w, "reach made up")
	})
}

// SpiceDB forgets revisions: a token that is too old is replaced by one at which the watch
// had brought everything.
func TestTokensOfSetsThatStayAreRenewed(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, func(cfg *Config) { cfg.Heartbeat = 2 * time.Second }, func(t *testing.T, c *Cache) {
		s := subscribe(t, c, "alice", document)
		first := decide(t, s, "[d1]")
		later(tokenAge / 2)
		if d := decide(t, s, "[d1]"); d.Tokens[0] != first.Tokens[0] {
			t.Error("a token that is young is replaced")
		}
		later(tokenAge)
		d := decide(t, s, "[d1]")
		if d.Tokens[0] == first.Tokens[0] {
			t.Fatal("a token that is old stays")
		}
		if g, err := subscribe(t, elsewhere(t, w), "alice", document).Recall(t.Context(), d.Fingerprint, d.Tokens); err != nil || !g.Equal(d.Grants) {
			t.Errorf("%v", err)
		}
	})
}
