package authz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// world is an Engine whose answers are set by hand. What is not in it is denied.
type world struct {
	held    map[string]bool     // "document:readme#view"
	ids     map[string][]string // "document#view"
	fails   map[string]error    // by either
	delay   map[string]chan struct{}
	mu      sync.Mutex
	asked   []string
	context []map[string]any
}

func (w *world) ask(ctx context.Context, what string, caveatContext map[string]any) error {
	w.mu.Lock()
	w.asked = append(w.asked, what)
	w.context = append(w.context, caveatContext)
	w.mu.Unlock()
	if c := w.delay[what]; c != nil {
		select {
		case <-c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return w.fails[what]
}

func (w *world) CheckPermission(ctx context.Context, _ Subject, r ObjectRef, permission string, caveatContext map[string]any) (bool, error) {
	what := r.String() + "#" + permission
	err := w.ask(ctx, what, caveatContext)
	return w.held[what] && err == nil, err
}

func (w *world) LookupResources(ctx context.Context, _ Subject, typ, permission string, caveatContext map[string]any, yield func(string)) error {
	what := typ + "#" + permission
	for _, id := range w.ids[what] {
		yield(id)
	}
	return w.ask(ctx, what, caveatContext)
}

func (w *world) questions() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.asked))
}

var (
	alice    = Subject{ObjectRef: ObjectRef{"user", "alice"}}
	mainSync = &Requirement{ObjectRef{"workspace", "main"}, "sync"}
	admin    = &Requirement{ObjectRef{"workspace", "main"}, "admin"}
	document = Filter{"document", "view"}
	project  = Filter{"project", "view"}
	errDown  = E(Unavailable, "ask", errors.New("down"))
)

const (
	syncKey  = "workspace:main#sync"
	adminKey = "workspace:main#admin"
)

func TestDecide(t *testing.T) {
	grants := map[string][]string{"document#view": {"a", "b", "a"}, "project#view": {"p"}}
	tests := []struct {
		name  string
		rule  Rule
		world *world // nil denies everything

		want     string // see describe
		wantKind Kind   // of the error, where want is empty
		asked    []string
	}{
		{
			name: "a gate alone lets its holders see every row",
			rule: Rule{Gate: mainSync}, world: &world{held: map[string]bool{syncKey: true}},
			want: "unrestricted", asked: []string{syncKey},
		},
		{
			name: "a gate alone denies everybody else",
			rule: Rule{Gate: mainSync}, wantKind: Denied, asked: []string{syncKey},
		},
		{
			name: "a gate alone makes the unrestricted check needless",
			rule: Rule{Gate: mainSync, Unrestricted: admin}, world: &world{held: map[string]bool{syncKey: true}},
			want: "unrestricted", asked: []string{syncKey},
		},
		{
			name: "filters reach what each of them reaches, in their order",
			rule: Rule{Filters: []Filter{project, document}}, world: &world{ids: grants},
			want: "[p] [a b]", asked: []string{"document#view", "project#view"},
		},
		{
			name: "a filter that reaches nothing is an answer",
			rule: Rule{Filters: []Filter{document}},
			want: "[]", asked: []string{"document#view"},
		},
		{
			name: "the same filter for two columns is looked up once",
			rule: Rule{Filters: []Filter{document, project, document}}, world: &world{ids: grants},
			want: "[a b] [p] [a b]", asked: []string{"document#view", "project#view"},
		},
		{
			name: "a failed gate costs no lookup",
			rule: Rule{Gate: mainSync, Filters: []Filter{document}}, world: &world{ids: grants},
			wantKind: Denied, asked: []string{syncKey},
		},
		{
			name:  "a gate that holds leads to the filters",
			rule:  Rule{Gate: mainSync, Unrestricted: admin, Filters: []Filter{document}},
			world: &world{held: map[string]bool{syncKey: true}, ids: grants},
			want:  "[a b]", asked: []string{"document#view", adminKey, syncKey},
		},
		{
			name:  "holders of unrestricted need no lookup",
			rule:  Rule{Gate: mainSync, Unrestricted: admin, Filters: []Filter{document}},
			world: &world{held: map[string]bool{syncKey: true, adminKey: true}, ids: grants},
			want:  "unrestricted", asked: []string{adminKey, syncKey},
		},
		{
			name:  "unrestricted without a gate",
			rule:  Rule{Unrestricted: admin, Filters: []Filter{document}},
			world: &world{held: map[string]bool{adminKey: true}},
			want:  "unrestricted", asked: []string{adminKey},
		},
		{
			name:     "unrestricted does not open the gate",
			rule:     Rule{Gate: mainSync, Unrestricted: admin, Filters: []Filter{document}},
			world:    &world{held: map[string]bool{adminKey: true}},
			wantKind: Denied, asked: []string{adminKey, syncKey},
		},
		{
			name: "a rule that guards nothing is refused",
			rule: Rule{}, wantKind: Invalid,
		},
		{
			name: "unrestricted guards nothing",
			rule: Rule{Unrestricted: admin}, world: &world{held: map[string]bool{adminKey: true}}, wantKind: Invalid,
		},
		{
			name: "no answer about the gate",
			rule: Rule{Gate: mainSync}, world: &world{held: map[string]bool{syncKey: true}, fails: map[string]error{syncKey: errDown}},
			wantKind: Unavailable, asked: []string{syncKey},
		},
		{
			name:     "no answer about unrestricted is no answer",
			rule:     Rule{Unrestricted: admin, Filters: []Filter{document}},
			world:    &world{ids: grants, fails: map[string]error{adminKey: errDown}},
			wantKind: Unavailable, asked: []string{adminKey},
		},
		{
			name:     "a denial is one whatever happened to the other check",
			rule:     Rule{Gate: mainSync, Unrestricted: admin, Filters: []Filter{document}},
			world:    &world{fails: map[string]error{adminKey: errDown}},
			wantKind: Denied, asked: []string{adminKey, syncKey},
		},
		{
			name:     "a lookup that breaks off is no smaller set",
			rule:     Rule{Filters: []Filter{document, project}},
			world:    &world{ids: grants, fails: map[string]error{"document#view": errDown}},
			wantKind: Unavailable, asked: []string{"document#view", "project#view"},
		},
		{
			name:     "what the engine did not classify is our fault",
			rule:     Rule{Filters: []Filter{document}},
			world:    &world{fails: map[string]error{"document#view": errors.New("?")}},
			wantKind: Internal, asked: []string{"document#view"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.world
			if w == nil {
				w = &world{}
			}
			d, err := NewAuthorizer(w, testKey).Decide(t.Context(), Question{Subject: alice, Rule: tt.rule})
			if tt.want == "" {
				if err == nil || KindOf(err) != tt.wantKind {
					t.Errorf("%v, %v, want an error of kind %s", d, err, tt.wantKind)
				}
				if d.Unrestricted || d.Grants != nil {
					t.Errorf("there is a decision beside the error: %s", describe(d))
				}
			} else if err != nil || describe(d) != tt.want {
				t.Errorf("%s, %v, want %s", describe(d), err, tt.want)
			}
			if got := w.questions(); !slices.Equal(got, tt.asked) {
				t.Errorf("asked %q, want %q", got, tt.asked)
			}
		})
	}
}

func describe(d Decision) string {
	if d.Unrestricted {
		return "unrestricted"
	}
	var sets []string
	for _, g := range d.Grants {
		sets = append(sets, fmt.Sprint(slices.Sorted(g.All())))
	}
	return fmt.Sprint(sets)[1 : len(fmt.Sprint(sets))-1]
}

func TestQuestionsThatSpiceDBWouldMisreadAreRefused(t *testing.T) {
	for _, q := range []Question{
		{Subject: Subject{ObjectRef: ObjectRef{"user", "*"}}, Rule: Rule{Gate: mainSync}},
		{Subject: Subject{}, Rule: Rule{Gate: mainSync}},
		{Subject: Subject{ObjectRef: ObjectRef{"user", "a b"}}, Rule: Rule{Gate: mainSync}},
		{Subject: alice, Rule: Rule{Gate: &Requirement{ObjectRef{"project", "*"}, "view"}}},
		{Subject: alice, Rule: Rule{Gate: &Requirement{ObjectRef{"project", ""}, "view"}}},
		{Subject: alice, Rule: Rule{Unrestricted: &Requirement{ObjectRef{"project", "*"}, "view"}, Filters: []Filter{document}}},
	} {
		w := &world{}
		_, err := NewAuthorizer(w, testKey).Decide(t.Context(), q)
		if err == nil || KindOf(err) != Invalid || len(w.asked) > 0 {
			t.Errorf("%v: %v, asked %q", q, err, w.asked)
		}
	}
}

func TestTheCaveatContextReachesEveryQuestion(t *testing.T) {
	w := &world{held: map[string]bool{syncKey: true}}
	_, err := NewAuthorizer(w, testKey).Decide(t.Context(), Question{
		Subject: alice, Rule: Rule{Gate: mainSync, Unrestricted: admin, Filters: []Filter{document, project}},
		Context: map[string]any{"network": "office"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.context) != 4 {
		t.Errorf("%d questions, want 4", len(w.context))
	}
	for i, c := range w.context {
		if c["network"] != "office" {
			t.Errorf("%s was asked with %v", w.asked[i], c)
		}
	}
}

func TestChecksRunAtTheSameTimeAndSoDoLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates := []string{syncKey, adminKey, "document#view", "project#view"}
		w := &world{held: map[string]bool{syncKey: true}, delay: make(map[string]chan struct{})}
		for _, g := range gates {
			w.delay[g] = make(chan struct{})
		}
		done := make(chan error)
		go func() {
			_, err := NewAuthorizer(w, testKey).Decide(t.Context(), Question{
				Subject: alice, Rule: Rule{Gate: mainSync, Unrestricted: admin, Filters: []Filter{document, project}},
			})
			done <- err
		}()
		synctest.Wait()
		if got := w.questions(); !slices.Equal(got, []string{adminKey, syncKey}) {
			t.Errorf("before the checks are answered: %q", got)
		}
		close(w.delay[syncKey])
		close(w.delay[adminKey])
		synctest.Wait()
		if got := w.questions(); len(got) != 4 {
			t.Errorf("after the checks: %q", got)
		}
		close(w.delay["document#view"])
		close(w.delay["project#view"])
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestADenialDoesNotWaitForTheOtherCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{delay: map[string]chan struct{}{adminKey: make(chan struct{})}}
		_, err := NewAuthorizer(w, testKey).Decide(t.Context(), Question{
			Subject: alice, Rule: Rule{Gate: mainSync, Unrestricted: admin, Filters: []Filter{document}},
		})
		if KindOf(err) != Denied {
			t.Errorf("%v", err)
		}
	})
}

func TestACancelledQuestionSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &world{delay: map[string]chan struct{}{"document#view": make(chan struct{})}}
		go func() { synctest.Wait(); cancel() }()
		_, err := NewAuthorizer(w, testKey).Decide(ctx, Question{Subject: alice, Rule: Rule{Filters: []Filter{document}}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// Two equal questions are two questions: the later one must not be given grants
// from before it was asked.
func TestEqualQuestionsAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{delay: map[string]chan struct{}{"document#view": make(chan struct{})}}
		a := NewAuthorizer(w, testKey)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if _, err := a.Decide(t.Context(), Question{Subject: alice, Rule: Rule{Filters: []Filter{document}}}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if got := w.questions(); len(got) != 2 {
			t.Errorf("asked %q", got)
		}
		close(w.delay["document#view"])
		wg.Wait()
	})
}

func TestSetsOfOneTypeCanBeCompared(t *testing.T) {
	w := &world{ids: map[string][]string{"document#view": {"a", "b"}}}
	a := NewAuthorizer(w, testKey)
	q := Question{Subject: alice, Rule: Rule{Filters: []Filter{document}}}
	before, err := a.Decide(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	w.ids["document#view"] = []string{"c", "b"}
	after, err := a.Decide(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	gone, came := before.Grants[0].Difference(after.Grants[0]), after.Grants[0].Difference(before.Grants[0])
	if got := fmt.Sprint(slices.Collect(gone.All()), slices.Collect(came.All())); got != "[a] [c]" {
		t.Errorf("gone and come: %s", got)
	}
	if before.Fingerprint(testKey) == after.Fingerprint(testKey) {
		t.Error("the fingerprint did not change")
	}
}
