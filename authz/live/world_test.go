package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/shapegate/shapegate/authz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testKey  = authz.NewFingerprintKey([]byte("a secret for tests, long enough!"))
	mainSync = &authz.Requirement{Resource: authz.ObjectRef{Type: "workspace", ID: "main"}, Permission: "sync"}
	admin    = &authz.Requirement{Resource: authz.ObjectRef{Type: "workspace", ID: "main"}, Permission: "admin"}
	document = authz.Filter{ResourceType: "document", Permission: "view"}
	project  = authz.Filter{ResourceType: "project", Permission: "view"}
	errDown  = authz.E(authz.Unavailable, "ask", errors.New("down"))
)

func person(id string) authz.Subject {
	return authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: id}}
}

// world is an engine whose answers are set by hand, and what they change with them
// told by hand too: what a real engine would find out is not what is tested here.
type world struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the world changes
	held    map[string]bool
	events  []authz.WatchEvent
	deps    map[string]authz.Dependencies

	unreadable int // how often deps cannot be had
	canary     bool
	away       error // of every call
	gone       int   // revisions that cannot be watched from any more
	silent     bool  // nothing comes through the watch
	breaks     int   // of the watch
	fails      map[string]error
	gates      map[string]chan struct{} // calls that wait to be let through

	asked    []string
	contexts []map[string]any
	calls    int
	takes    time.Duration // a call
	running  int
	most     int // calls that ran at the same time
}

func newWorld(holds ...string) *world {
	w := &world{
		changed: make(chan struct{}), held: make(map[string]bool), canary: true,
		fails: make(map[string]error), gates: make(map[string]chan struct{}),
		deps: map[string]authz.Dependencies{
			"document#view":  rests("document#viewer", "group#member"),
			"project#view":   rests("project#viewer"),
			"workspace#sync": rests("workspace#member"), "workspace#admin": rests("workspace#admin"),
		},
	}
	for _, h := range holds {
		w.held[h] = true
	}
	return w
}

// rests builds what a permission rests on. Groups are walked through, as they have
// members.
func rests(relations ...string) authz.Dependencies {
	d := authz.Dependencies{
		Relations: make(map[authz.Relation]bool), Walked: make(map[string]bool),
		Subjects: map[string]bool{"user": true, "group": true},
	}
	for _, r := range relations {
		definition, name, _ := strings.Cut(r, "#")
		d.Relations[authz.Relation{Definition: definition, Name: name}] = true
		d.Walked[definition] = true
	}
	return d
}

// write changes what is held ("alice document:d1#view", or with a - in front what
// is not held any more) and tells of the update that did it.
func (w *world) write(update string, holds ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range holds {
		if lost, ok := strings.CutPrefix(h, "-"); ok {
			delete(w.held, lost)
		} else {
			w.held[h] = true
		}
	}
	w.tell(authz.WatchEvent{Updates: []authz.RelationshipUpdate{parseUpdate(update)}})
}

func (w *world) tell(e authz.WatchEvent) {
	e.Through = authz.ZedToken(strconv.Itoa(len(w.events) + 1))
	w.events = append(w.events, e)
	close(w.changed)
	w.changed = make(chan struct{})
}

// set changes what goes wrong.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	close(w.changed)
	w.changed = make(chan struct{})
}

// parseUpdate reads "document:d1#viewer@user:alice", with a - in front if it is
// deleted.
func parseUpdate(s string) (u authz.RelationshipUpdate) {
	s, u.Deleted = strings.CutPrefix(s, "-")
	resource, rest, _ := strings.Cut(s, "#")
	relation, subject, _ := strings.Cut(rest, "@")
	subject, u.SubjectRelation, _ = strings.Cut(subject, "#")
	u.Relation = relation
	u.Resource.Type, u.Resource.ID, _ = strings.Cut(resource, ":")
	u.Subject.Type, u.Subject.ID, _ = strings.Cut(subject, ":")
	return u
}

// ask notes a call, waits if it is to wait, and says whether it fails.
func (w *world) ask(ctx context.Context, whats ...string) error {
	w.mu.Lock()
	w.asked = append(w.asked, whats...)
	w.calls++
	takes := w.takes
	w.running++
	w.most = max(w.most, w.running)
	var gate chan struct{}
	err := w.away
	for _, what := range whats {
		if g := w.gates[what]; g != nil {
			gate = g
		}
		if e := w.fails[what]; e != nil && err == nil {
			err = e
		}
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.running--
		w.mu.Unlock()
	}()
	time.Sleep(takes) // of the bubble
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (w *world) CheckPermissions(ctx context.Context, checks []authz.Check) ([]bool, error) {
	whats := make([]string, len(checks))
	w.mu.Lock()
	for i, c := range checks {
		whats[i] = c.Resource.String() + "#" + c.Permission
		w.contexts = append(w.contexts, c.Context)
	}
	w.mu.Unlock()
	if err := w.ask(ctx, whats...); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	held := make([]bool, len(checks))
	for i, c := range checks {
		held[i] = w.held[c.Subject.ID+" "+whats[i]]
	}
	return held, nil
}

func (w *world) LookupResources(ctx context.Context, subject authz.ObjectRef, typ, permission string, values map[string]any, yield func(string)) error {
	what := typ + "#" + permission
	w.mu.Lock()
	w.contexts = append(w.contexts, values)
	for h := range w.held {
		rest, ok := strings.CutPrefix(h, subject.ID+" "+typ+":")
		if id, ok2 := strings.CutSuffix(rest, "#"+permission); ok && ok2 {
			yield(id)
		}
	}
	w.mu.Unlock()
	return w.ask(ctx, what)
}

func (w *world) Head(context.Context) (authz.ZedToken, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return authz.ZedToken(strconv.Itoa(len(w.events))), w.canary, w.away
}

func (w *world) Dependencies(_ context.Context, definition, permission string) (authz.Dependencies, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unreadable > 0 {
		w.unreadable--
		return authz.Dependencies{}, errDown
	}
	d, ok := w.deps[definition+"#"+permission]
	if !ok && w.away == nil {
		return d, authz.E(authz.Internal, "dependencies", errors.New("no such permission"))
	}
	return d, w.away
}

func (w *world) Watch(ctx context.Context, after authz.ZedToken, yield func(authz.WatchEvent)) error {
	next, err := strconv.Atoi(string(after))
	if err != nil {
		panic(err)
	}
	w.mu.Lock()
	breaks := w.breaks
	w.mu.Unlock()
	for {
		w.mu.Lock()
		switch {
		case w.away != nil:
			defer w.mu.Unlock()
			return w.away
		case next < w.gone:
			defer w.mu.Unlock()
			return authz.E(authz.Unavailable, "watch", authz.ErrRevisionGone)
		case w.breaks != breaks:
			defer w.mu.Unlock()
			return authz.E(authz.Unavailable, "watch", errors.New("broken"))
		}
		var e *authz.WatchEvent
		if next < len(w.events) && !w.silent {
			e = &w.events[next]
			next++
		}
		changed := w.changed
		w.mu.Unlock()
		if e != nil {
			yield(*e)
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *world) Beat(_ context.Context, process string, n uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away == nil {
		w.tell(authz.WatchEvent{Beats: map[string]uint64{process: n}})
	}
	return w.away
}

// questions returns what was asked since it was last called, sorted.
func (w *world) questions() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := slices.Sorted(slices.Values(w.asked))
	w.asked, w.most, w.calls = nil, 0, 0
	return asked
}

// inBubble runs a test of a keeper that watches the world, in a time of its own.
func inBubble(t *testing.T, w *world, change func(*Config), test func(t *testing.T, k *Keeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w.changed = make(chan struct{}) // of the bubble
		k := newKeeper(t, w, change)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		synctest.Wait()
		defer func() {
			cancel()
			if err := errors.Join(<-done, k.Close()); err != nil {
				t.Error(err)
			}
		}()
		test(t, k)
	})
}

func newKeeper(t *testing.T, w *world, change func(*Config)) *Keeper {
	t.Helper()
	c := Config{Engine: w, Key: testKey, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	k, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// open returns a lease on what a person may see by some filters.
func open(t *testing.T, k *Keeper, who string, filters ...authz.Filter) authz.Lease {
	t.Helper()
	return openRule(t, k, who, authz.Rule{Filters: filters})
}

func openRule(t *testing.T, k *Keeper, who string, rule authz.Rule) authz.Lease {
	t.Helper()
	l, err := k.Open(authz.Question{Subject: person(who), Rule: rule})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Release)
	return l
}

// decide makes sure of what a lease decides, and returns it.
func decide(t *testing.T, l authz.Lease, want string) authz.Decision {
	t.Helper()
	d, err := l.Decide(t.Context(), authz.Bounded, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(d); got != want {
		t.Fatalf("decided %s, want %s", got, want)
	}
	return d
}

func describe(d authz.Decision) string {
	if d.Unrestricted {
		return "unrestricted"
	}
	return sets(d.Grants)
}

func sets(all []*authz.GrantSet) string {
	texts := make([]string, len(all))
	for i, g := range all {
		texts[i] = fmt.Sprint(slices.Sorted(g.All()))
	}
	return strings.Join(texts, " ")
}

func asks(t *testing.T, w *world, want ...string) {
	t.Helper()
	if got := w.questions(); !slices.Equal(got, want) {
		t.Fatalf("SpiceDB was asked %q, want %q", got, want)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// later lets time pass.
func later(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}
