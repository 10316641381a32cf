package live

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
			want: "unrestricted", asked: []string{syncKey},
		},
		{
			name: "a gate alone denies everybody else",
			rule: authz.Rule{Gate: mainSync}, world: held(), wantKind: authz.Denied, asked: []string{syncKey},
		},
		{
			name: "a gate alone makes the unrestricted check needless",
			rule: authz.Rule{Gate: mainSync, Unrestricted: admin}, world: held(gate),
			want: "unrestricted", asked: []string{syncKey},
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
			want:  "unrestricted", asked: []string{adminKey, syncKey},
		},
		{
			name:  "unrestricted without a gate",
			rule:  authz.Rule{Unrestricted: admin, Filters: []authz.Filter{document}},
			world: held(unrestricted),
			want:  "unrestricted", asked: []string{adminKey},
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
			wantKind: authz.Internal,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.world, nil, func(t *testing.T, k *Keeper) {
				d, err := openRule(t, k, "alice", tt.rule).Decide(t.Context(), authz.Bounded, "")
				if tt.want == "" {
					if err == nil || authz.KindOf(err) != tt.wantKind {
						t.Errorf("%v, %v, want an error of kind %s", d, err, tt.wantKind)
					}
					if d.Unrestricted || d.Grants != nil {
						t.Errorf("there is a decision beside the error: %s", describe(d))
					}
				} else if err != nil || describe(d) != tt.want {
					t.Errorf("%s, %v, want %s", describe(d), err, tt.want)
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
	k := newKeeper(t, newWorld(), nil)
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
		if _, err := k.Open(q); err == nil || authz.KindOf(err) != authz.Invalid {
			t.Errorf("%v: %v", q, err)
		}
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheCaveatContextReachesEveryQuestion(t *testing.T) {
	w := newWorld("alice " + syncKey)
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l, err := k.Open(authz.Question{
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
		for i, c := range w.contexts {
			if c["network"] != "office" || c["now"] != time.Now().UTC().Format(time.RFC3339) {
				t.Errorf("%s was asked with %v", w.asked[i], c)
			}
		}
	})
}

// Equal subjects with other claims are other questions.
func TestAnotherContextIsAnotherQuestion(t *testing.T) {
	w := newWorld()
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		with := func(clearance int) authz.Lease {
			l, err := k.Open(authz.Question{
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
		then := decide(t, low, "[]")
		w.write("document:d1#viewer@user:alice", "alice document:d1#view") // for high alone, say
		synctest.Wait()
		now := decide(t, high, "[d1]")
		if c, ok := high.Since(now, then.Mark, then.Name); !ok || sets(c.Gained) != "[d1]" {
			t.Errorf("what came with the clearance is not told: %v %s", ok, sets(c.Gained))
		}
	})
}

func TestLookupsWaitForTheChecks(t *testing.T) {
	w := newWorld("alice " + syncKey)
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		gate := make(chan struct{})
		w.gates[syncKey] = gate
		l := openRule(t, k, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document, project}})
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
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		w.gates["document#view"] = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }()
		if _, err := open(t, k, "alice", document).Decide(ctx, authz.Bounded, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// Strict questions are asked anew each time, after they were put.
func TestAStrictDecisionIsNeverOlderThanItsQuestion(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		w.silent = true // the watch will not tell
		for _, holds := range []string{"-alice document:d1#view", "alice document:d2#view"} {
			w.write("document:d1#viewer@user:alice", holds)
			want := map[bool]string{true: "[]", false: "[d2]"}[holds[0] == '-']
			d, err := l.Decide(t.Context(), authz.Strict, "")
			if err != nil || describe(d) != want {
				t.Fatalf("%s, %v, want %s", describe(d), err, want)
			}
			asks(t, w, "document#view")
		}
	})
}

func TestADecisionIsAsFreshAsItsToken(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		w.silent = true // the watch is late
		w.write("document:d2#viewer@user:alice", "alice document:d2#view")
		d, err := l.Decide(t.Context(), authz.Bounded, "the write's token")
		if err != nil || describe(d) != "[d1 d2]" {
			t.Fatalf("%s, %v", describe(d), err)
		}
		w.questions()
		// A client sends its token with every request. It was seen.
		if _, err = l.Decide(t.Context(), authz.Bounded, "the write's token"); err != nil {
			t.Fatal(err)
		}
		asks(t, w)
	})
}

func TestConfirmAsksAboutWhatIsThereAlone(t *testing.T) {
	w := newWorld("alice "+syncKey, "alice document:d1#view", "alice document:d2#view", "alice document:d3#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := openRule(t, k, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document}})
		d := decide(t, l, "[d1 d2 d3]")
		w.questions()
		w.silent = true
		w.write("document:d1#viewer@user:alice", "-alice document:d1#view")
		got, err := l.Confirm(t.Context(), d, [][]string{{"d1", "d2"}})
		if err != nil || describe(got) != "[d2]" {
			t.Fatalf("%s, %v", describe(got), err)
		}
		if w.calls != 1 {
			t.Error("not in one call")
		}
		asks(t, w, "document:d1#view", "document:d2#view", syncKey)

		w.write("workspace:main#member@user:alice", "-alice "+syncKey)
		if _, err := l.Confirm(t.Context(), d, [][]string{{"d2"}}); authz.KindOf(err) != authz.Denied {
			t.Errorf("past the gate: %v", err)
		}
	})
}

func TestAGateThatWasLostMeanwhileIsNotNothing(t *testing.T) {
	w := newWorld("alice "+syncKey, "alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := openRule(t, k, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document}})
		then := decide(t, l, "[d1]")
		changed := l.Changed()
		w.write("workspace:main#member@user:alice", "-alice "+syncKey)
		synctest.Wait()
		if !isClosed(changed) {
			t.Error("whoever waits is not told")
		}
		if _, err := l.Decide(t.Context(), authz.Bounded, ""); authz.KindOf(err) != authz.Denied {
			t.Errorf("%v", err)
		}
		w.write("workspace:main#member@user:alice", "alice "+syncKey)
		synctest.Wait()
		now := decide(t, l, "[d1]")
		if now.Name != then.Name {
			t.Error("equal decisions have two names")
		}
		if _, ok := l.Since(now, then.Mark, then.Name); ok {
			t.Error("what was written meanwhile would be told")
		}
	})
}

// What was lost and given back before anybody asked is lost all the same.
func TestAGateThatFlickeredIsNotNothing(t *testing.T) {
	for key, rule := range map[string]authz.Rule{
		syncKey:  {Gate: mainSync, Filters: []authz.Filter{document}},
		adminKey: {Unrestricted: admin, Filters: []authz.Filter{document}},
	} {
		w := newWorld("alice "+key, "alice document:d1#view")
		inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
			l := openRule(t, k, "alice", rule)
			then, err := l.Decide(t.Context(), authz.Bounded, "")
			if err != nil {
				t.Fatal(err)
			}
			l.Release()
			relation := map[string]string{syncKey: "workspace:main#member", adminKey: "workspace:main#admin"}[key]
			w.write("-" + relation + "@user:alice")
			synctest.Wait()
			w.write(relation + "@user:alice")
			synctest.Wait()
			l = openRule(t, k, "alice", rule)
			now, err := l.Decide(t.Context(), authz.Bounded, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := l.Since(now, then.Mark, then.Name); ok {
				t.Errorf("%s: what was written meanwhile would be told", key)
			}
			if c, ok := l.Since(now, now.Mark, now.Name); !ok || !c.Empty() {
				t.Errorf("%s: whoever begins anew is never done", key)
			}
		})
	}
}

// Whoever comes and goes elsewhere, with a call to SpiceDB in between, keeps a gate.
func TestAGateIsKeptThroughWhatItDoesNotRestOn(t *testing.T) {
	w := newWorld("alice "+syncKey, "alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := openRule(t, k, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document}})
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
		if c, ok := l.Since(now, then.Mark, then.Name); !ok || !c.Empty() {
			t.Error("a client would begin anew for nothing")
		}
	})
}

func TestWhoeverIsUnrestrictedNoLongerGetsTheFilter(t *testing.T) {
	w := newWorld("alice "+adminKey, "alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := openRule(t, k, "alice", authz.Rule{Unrestricted: admin, Filters: []authz.Filter{document}})
		then := decide(t, l, "unrestricted")
		changed := l.Changed()
		w.write("workspace:main#admin@user:alice", "-alice "+adminKey)
		synctest.Wait()
		if !isClosed(changed) {
			t.Error("whoever waits is not told")
		}
		now := decide(t, l, "[d1]")
		if _, ok := l.Since(now, then.Mark, then.Name); ok {
			t.Error("what goes cannot be told, and yet is")
		}
	})
}

func TestDecisionsHaveTheSameNameEverywhere(t *testing.T) {
	var names []authz.Fingerprint
	for range 2 {
		w := newWorld("alice document:d1#view")
		inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
			names = append(names, decide(t, open(t, k, "alice", document), "[d1]").Name)
			labelled := openRule(t, k, "alice", authz.Rule{Filters: []authz.Filter{document}, Label: "another rule"})
			if decide(t, labelled, "[d1]").Name == names[0] {
				t.Error("another rule has the same name")
			}
		})
	}
	if names[0] != names[1] {
		t.Error("two keepers name one decision differently")
	}
	if strings.Contains(names[0].String(), "d1") {
		t.Error("a name tells an id")
	}
}
