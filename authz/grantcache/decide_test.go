package grantcache

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
)

var errCycle = authz.E(authz.Unanswerable, "ask", errors.New("max depth exceeded"))

const (
	syncKey  = "workspace:main#sync"
	adminKey = "workspace:main#admin"
)

func TestDecide(t *testing.T) {
	grants := []string{"alice document:a#view", "alice document:b#view", "alice project:p#view"}
	failing := func(w *world, what string, err error) *world {
		w.fails[what] = err
		return w
	}
	unanswerable := func(w *world, item string) *world {
		w.items[item] = errCycle
		delete(w.held, item)
		return w
	}
	held := func(more ...string) *world { return newWorld(append(more, grants...)...) }
	gate, unrestricted := "alice "+syncKey, "alice "+adminKey
	tests := []struct {
		name  string
		rule  authz.Rule
		world *world

		want     string     // see describe
		wantKind authz.Kind // of the error, where want is empty
		asked    []string
	}{
		{
			name: "a gate alone lets its holders see every row",
			rule: authz.Rule{Gate: mainSync}, world: held(gate),
			want: "everything", asked: []string{syncKey},
		},
		{
			name: "a gate alone denies everybody else",
			rule: authz.Rule{Gate: mainSync}, world: held(), wantKind: authz.Denied, asked: []string{syncKey},
		},
		{
			name: "a gate alone makes the unrestricted check needless",
			rule: authz.Rule{Gate: mainSync, Unrestricted: admin}, world: held(gate),
			want: "everything", asked: []string{syncKey},
		},
		{
			name: "filters reach what each of them reaches, in their order",
			rule: authz.Rule{Filters: []authz.Filter{project, document}}, world: held(),
			want: "[p] [a b]", asked: []string{"document#view", "project#view"},
		},
		{
			name: "a filter that reaches nothing is an answer",
			rule: authz.Rule{Filters: []authz.Filter{document}}, world: newWorld(),
			want: "[]", asked: []string{"document#view"},
		},
		{
			name: "the same filter for two columns is looked up once",
			rule: authz.Rule{Filters: []authz.Filter{document, project, document}}, world: held(),
			want: "[a b] [p] [a b]", asked: []string{"document#view", "project#view"},
		},
		{
			name: "a failed gate costs no lookup",
			rule: authz.Rule{Gate: mainSync, Filters: []authz.Filter{document}}, world: held(),
			wantKind: authz.Denied, asked: []string{syncKey},
		},
		{
			name:  "a gate that holds leads to the filters",
			rule:  authz.Rule{Gate: mainSync, Unrestricted: admin, Filters: []authz.Filter{document}},
			world: held(gate),
			want:  "[a b]", asked: []string{"document#view", adminKey, syncKey},
		},
		{
			name:  "holders of unrestricted need no lookup",
			rule:  authz.Rule{Gate: mainSync, Unrestricted: admin, Filters: []authz.Filter{document}},
			world: held(gate, unrestricted),
			want:  "everything", asked: []string{adminKey, syncKey},
		},
		{
			name:  "unrestricted without a gate",
			rule:  authz.Rule{Unrestricted: admin, Filters: []authz.Filter{document}},
			world: held(unrestricted),
			want:  "everything", asked: []string{adminKey},
		},
		{
			name:     "unrestricted does not open the gate",
			rule:     authz.Rule{Gate: mainSync, Unrestricted: admin, Filters: []authz.Filter{document}},
			world:    held(unrestricted),
			wantKind: authz.Denied, asked: []string{adminKey, syncKey},
		},
		{
			name: "no answer about the gate",
			rule: authz.Rule{Gate: mainSync}, world: failing(held(gate), syncKey, errDown),
			wantKind: authz.Unavailable, asked: []string{syncKey},
		},
		{
			name:     "no answer about unrestricted is no answer",
			rule:     authz.Rule{Unrestricted: admin, Filters: []authz.Filter{document}},
			world:    failing(held(), adminKey, errDown),
			wantKind: authz.Unavailable, asked: []string{adminKey},
		},
		{
			name:     "a lookup that breaks off is no smaller set",
			rule:     authz.Rule{Filters: []authz.Filter{document, project}},
			world:    failing(held(), "document#view", errDown),
			wantKind: authz.Unavailable, asked: []string{"document#view", "project#view"},
		},
		{
			name:     "what the engine did not classify is our fault",
			rule:     authz.Rule{Filters: []authz.Filter{document}},
			world:    failing(held(), "document#view", errors.New("?")),
			wantKind: authz.Internal, asked: []string{"document#view"},
		},
		{
			name:     "a permission that the schema does not have",
			rule:     authz.Rule{Filters: []authz.Filter{{ResourceType: "document", Permission: "edit"}}},
			world:    held(),
			wantKind: authz.Unanswerable,
		},
		{
			name: "a permission that the schema does not have makes no subject unrestricted",
			rule: authz.Rule{
				Unrestricted: &authz.Requirement{Resource: mainSync.Resource, Permission: "owner"},
				Filters:      []authz.Filter{document},
			},
			world: held(),
			want:  "[a b]", asked: []string{"document#view"},
		},
		{
			name:     "a gate that SpiceDB cannot evaluate",
			rule:     authz.Rule{Gate: mainSync},
			world:    unanswerable(held(gate), gate),
			wantKind: authz.Unanswerable, asked: []string{syncKey},
		},
		{
			name:     "a lookup that SpiceDB cannot evaluate",
			rule:     authz.Rule{Filters: []authz.Filter{document}},
			world:    failing(held(), "document#view", errCycle),
			wantKind: authz.Unanswerable, asked: []string{"document#view"},
		},
		{
			name:  "unrestricted that SpiceDB cannot evaluate denies that alone",
			rule:  authz.Rule{Unrestricted: admin, Filters: []authz.Filter{document}},
			world: unanswerable(held(unrestricted), unrestricted),
			want:  "[a b]", asked: []string{"document#view", adminKey},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.world, nil, func(t *testing.T, c *Cache) {
				s := subscribeRule(t, c, "alice", tt.rule)
				d, err := s.Decide(t.Context(), authz.Bounded, "")
				if tt.want == "" {
					if err == nil || authz.KindOf(err) != tt.wantKind {
						t.Errorf("%v, %v, want an error of kind %s", d, err, tt.wantKind)
					}
					if !d.Grants.IsEmpty() {
						t.Errorf("there is a decision beside the error: %s", describe(s, d.Grants))
					}
				} else if err != nil || describe(s, d.Grants) != tt.want {
					t.Errorf("%s, %v, want %s", describe(s, d.Grants), err, tt.want)
				}
				synctest.Wait()
				if got := tt.world.questions(); !slices.Equal(got, tt.asked) {
					t.Errorf("asked %q, want %q", got, tt.asked)
				}
			})
		})
	}
}

func TestQuestionsThatSpiceDBWouldMisreadAreRefused(t *testing.T) {
	ref := func(typ, id string) authz.ObjectRef { return authz.ObjectRef{Type: typ, ID: id} }
	subject := func(typ, id string) authz.Subject { return authz.Subject{ObjectRef: ref(typ, id)} }
	c := newCache(t, newWorld(), nil)
	for _, q := range []authz.Question{
		{Subject: subject("user", "*"), Rule: authz.Rule{Gate: mainSync}},
		{Subject: authz.Subject{}, Rule: authz.Rule{Gate: mainSync}},
		{Subject: subject("user", "a b"), Rule: authz.Rule{Gate: mainSync}},
		{Subject: person("alice"), Rule: authz.Rule{Gate: &authz.Requirement{Resource: ref("project", "*"), Permission: "view"}}},
		{Subject: person("alice"), Rule: authz.Rule{Gate: &authz.Requirement{Resource: ref("project", ""), Permission: "view"}}},
		{Subject: person("alice"), Rule: authz.Rule{
			Unrestricted: &authz.Requirement{Resource: ref("project", "*"), Permission: "view"}, Filters: []authz.Filter{document},
		}},
		{Subject: person("alice")},
		{Subject: person("alice"), Rule: authz.Rule{Unrestricted: admin}},
	} {
		if _, err := c.Subscribe(q); err == nil || authz.KindOf(err) != authz.Invalid {
			t.Errorf("%v: %v", q, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheCaveatContextReachesEveryQuestion(t *testing.T) {
	w := newWorld("alice " + syncKey)
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l, err := c.Subscribe(authz.Question{
			Subject: person("alice"),
			Rule:    authz.Rule{Gate: mainSync, Unrestricted: admin, Filters: []authz.Filter{document, project}},
			Context: map[string]any{"network": "office"}, Clock: []string{"now"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release()
		decide(t, l, "[] []")
		if len(w.contexts) != 4 {
			t.Errorf("%d questions, want 4", len(w.contexts))
		}
		for i, values := range w.contexts {
			if values["network"] != "office" || values["now"] != time.Now().UTC().Format(time.RFC3339) {
				t.Errorf("%s was asked with %v", w.asked[i], values)
			}
		}
	})
}

// Equal subjects with other claims are other questions.
func TestAnotherContextIsAnotherQuestion(t *testing.T) {
	w := newWorld()
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		with := func(clearance int) authz.Subscription {
			l, err := c.Subscribe(authz.Question{
				Subject: person("alice"), Rule: authz.Rule{Filters: []authz.Filter{document}},
				Context: map[string]any{"clearance": clearance},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Release)
			return l
		}
		low, high := with(1), with(2)
		decide(t, low, "[]")
		w.write("document:d1#viewer@user:alice", "alice document:d1#view")
		synctest.Wait()
		w.questions()
		decide(t, high, "[d1]")
		asks(t, w, "document#view")
	})
}

func TestLookupsWaitForTheChecks(t *testing.T) {
	w := newWorld("alice " + syncKey)
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		gate := make(chan struct{})
		w.gates[syncKey] = gate
		l := subscribeRule(t, c, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document, project}})
		done := make(chan error)
		go func() {
			_, err := l.Decide(t.Context(), authz.Bounded, "")
			done <- err
		}()
		synctest.Wait()
		asks(t, w, syncKey)
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
		asks(t, w, "document#view", "project#view")
	})
}

func TestACancelledQuestionSaysSo(t *testing.T) {
	w := newWorld()
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		w.gates["document#view"] = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }()
		if _, err := subscribe(t, c, "alice", document).Decide(ctx, authz.Bounded, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// Strict questions are asked anew each time, after they were put.
func TestAStrictDecisionIsNeverOlderThanItsQuestion(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		w.silent = true // the watch will bring nothing
		for _, holds := range []string{"-alice document:d1#view", "alice document:d2#view"} {
			w.write("document:d1#viewer@user:alice", holds)
			want := map[bool]string{true: "[]", false: "[d2]"}[holds[0] == '-']
			d, err := l.Decide(t.Context(), authz.Strict, "")
			if err != nil || describe(l, d.Grants) != want {
				t.Fatalf("%s, %v, want %s", describe(l, d.Grants), err, want)
			}
			asks(t, w, "document#view")
		}
	})
}

func TestADecisionIsAsFreshAsItsToken(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribe(t, c, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		w.silent = true // the watch is late
		w.write("document:d2#viewer@user:alice", "alice document:d2#view")
		d, err := l.Decide(t.Context(), authz.Bounded, "the write's token")
		if err != nil || describe(l, d.Grants) != "[d1 d2]" {
			t.Fatalf("%s, %v", describe(l, d.Grants), err)
		}
		asks(t, w, "document#view", "reach the write's token")
		// A client sends its token with every request. It was seen.
		if _, err = l.Decide(t.Context(), authz.Bounded, "the write's token"); err != nil {
			t.Fatal(err)
		}
		asks(t, w)
	})
}

func TestConfirmAsksAboutWhatIsThereAlone(t *testing.T) {
	w := newWorld("alice "+syncKey, "alice document:d1#view", "alice document:d2#view", "alice document:d3#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribeRule(t, c, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document}})
		d := decide(t, l, "[d1 d2 d3]")
		w.questions()
		w.silent = true
		w.write("document:d1#viewer@user:alice", "-alice document:d1#view")
		got, err := l.Confirm(t.Context(), d.Grants, [][]string{{"d1", "d2"}})
		if err != nil || describe(l, got) != "[d2]" {
			t.Fatalf("%s, %v", describe(l, got), err)
		}
		synctest.Wait()
		if w.calls != 2 { // what is gone is touched, and asked for again
			t.Error("not in one call")
		}
		asks(t, w, "document:d1#view", "document:d1#view", "document:d2#view", syncKey)

		w.write("workspace:main#member@user:alice", "-alice "+syncKey)
		if _, err := l.Confirm(t.Context(), d.Grants, [][]string{{"d2"}}); authz.KindOf(err) != authz.Denied {
			t.Errorf("past the gate: %v", err)
		}
	})
}

func TestAGateThatWasLostInBetweenInterrupts(t *testing.T) {
	w := newWorld("alice "+syncKey, "alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribeRule(t, c, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document}})
		then := decide(t, l, "[d1]")
		changed := l.Changed()
		w.write("workspace:main#member@user:alice", "-alice "+syncKey)
		synctest.Wait()
		if !isClosed(changed) {
			t.Error("the reader is not woken")
		}
		if _, err := l.Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Denied {
			t.Errorf("%v", err)
		}
		w.write("workspace:main#member@user:alice", "alice "+syncKey)
		synctest.Wait()
		now := decide(t, l, "[d1]")
		if now.Fingerprint != then.Fingerprint {
			t.Error("equal decisions have two fingerprints")
		}
		if _, ok := l.Interrupted(then.At); ok {
			t.Error("what was written meanwhile would be sent")
		}
		if _, ok := l.Interrupted(now.At); !ok {
			t.Error("who begins anew is never done")
		}
	})
}

// What was lost and given back before anybody asked is lost all the same.
func TestAGateThatWasDeletedAndWrittenAgainInterrupts(t *testing.T) {
	for key, rule := range map[string]authz.Rule{
		syncKey:  {Gate: mainSync, Filters: []authz.Filter{document}},
		adminKey: {Unrestricted: admin, Filters: []authz.Filter{document}},
	} {
		w := newWorld("alice "+key, "alice document:d1#view")
		inBubble(t, w, nil, func(t *testing.T, c *Cache) {
			s := subscribeRule(t, c, "alice", rule)
			then, err := s.Decide(t.Context(), authz.Bounded, "")
			if err != nil {
				t.Fatal(err)
			}
			changed := s.Changed()
			relation := map[string]string{syncKey: "workspace:main#member", adminKey: "workspace:main#admin"}[key]
			w.write("-" + relation + "@user:alice")
			synctest.Wait()
			w.write(relation + "@user:alice")
			later(time.Second)
			if !isClosed(changed) {
				t.Errorf("%s: the reader is not woken", key)
			}
			now, err := s.Decide(t.Context(), authz.Bounded, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := s.Interrupted(then.At); ok {
				t.Errorf("%s: what was written meanwhile would be sent", key)
			}
			if _, ok := s.Interrupted(now.At); !ok {
				t.Errorf("%s: who begins anew is never done", key)
			}
		})
	}
}

// Grants that come and go while the gate holds by others do not interrupt it.
func TestAGateThatHeldAllTheTimeDoesNotInterrupt(t *testing.T) {
	w := newWorld("alice "+syncKey, "alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribeRule(t, c, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document}})
		then, err := l.Decide(t.Context(), authz.Bounded, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range []string{"workspace:main#member@user:alice", "-workspace:main#member@user:alice"} {
			w.write(u)
			later(time.Second)
		}
		now, err := l.Decide(t.Context(), authz.Bounded, "")
		if err != nil {
			t.Fatal(err)
		}
		if lost, ok := l.Interrupted(then.At); !ok || !lost.IsEmpty() || now.Fingerprint != then.Fingerprint {
			t.Error("a client would begin anew for nothing")
		}
	})
}

func TestASubjectThatIsUnrestrictedNoLongerGetsTheFilter(t *testing.T) {
	w := newWorld("alice "+adminKey, "alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, c *Cache) {
		l := subscribeRule(t, c, "alice", authz.Rule{Unrestricted: admin, Filters: []authz.Filter{document}})
		then := decide(t, l, "everything")
		changed := l.Changed()
		w.write("workspace:main#admin@user:alice", "-alice "+adminKey)
		synctest.Wait()
		if !isClosed(changed) {
			t.Error("the reader is not woken")
		}
		restricted := decide(t, l, "[d1]")
		if _, ok := l.Interrupted(restricted.At); !ok {
			t.Error("a reader that sees no more than its filters begins anew for nothing")
		}
		w.write("workspace:main#admin@user:alice", "alice "+adminKey)
		later(time.Second)
		decide(t, l, "everything")
		if _, ok := l.Interrupted(then.At); ok {
			t.Error("it was restricted for a while, and yet goes on as if it had not been")
		}
	})
}

func TestDecisionsHaveTheSameFingerprintEverywhere(t *testing.T) {
	var names []authz.Fingerprint
	for range 2 {
		w := newWorld("alice document:d1#view")
		inBubble(t, w, nil, func(t *testing.T, c *Cache) {
			names = append(names, decide(t, subscribe(t, c, "alice", document), "[d1]").Fingerprint)
			labelled := subscribeRule(t, c, "alice", authz.Rule{Filters: []authz.Filter{document}, Label: "another rule"})
			if decide(t, labelled, "[d1]").Fingerprint == names[0] {
				t.Error("another rule has the same fingerprint")
			}
		})
	}
	if names[0] != names[1] {
		t.Error("two caches give one decision two fingerprints")
	}
	if strings.Contains(names[0].String(), "d1") {
		t.Error("a fingerprint shows an id")
	}
}
