package grantcache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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

// world is an engine whose answers and watch events are set by hand: what a real engine
// would answer is not tested here.
type world struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the world changes
	held    map[string]bool
	events  []authz.WatchEvent
	deps    map[string]authz.Dependencies

	unreadable int // how often deps cannot be had
	heartbeat  bool
	away       error // of every call
	gone       int   // revisions that cannot be watched from any more
	silent     bool  // nothing comes through the watch
	breaks     int   // of the watch
	fails      map[string]error
	methods    map[string]error                // that fail: Head, Dependencies, Watch, Heartbeat
	spared     int                             // calls of them that do not fail yet
	once       bool                            // one call alone fails
	items      map[string]error                // checks that fail: "alice document:d1#view"
	subjects   map[string][]authz.SubjectFound // of an object, besides those that hold it
	past       map[authz.ZedToken]map[string]bool
	emptyToken bool                     // an empty answer names no revision
	checked    map[string]bool          // held, as a check says, and no lookup does
	reads      map[string]int           // of what a permission rests on
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
		changed: make(chan struct{}), held: make(map[string]bool), heartbeat: true,
		fails: make(map[string]error), methods: make(map[string]error), items: make(map[string]error),
		subjects: make(map[string][]authz.SubjectFound), past: make(map[authz.ZedToken]map[string]bool),
		checked: make(map[string]bool), reads: make(map[string]int), gates: make(map[string]chan struct{}),
		deps: map[string]authz.Dependencies{
			"document#view":  rests("document#viewer", "group#member"),
			"project#view":   rests("project#viewer"),
			"workspace#sync": rests("workspace#member"), "workspace#admin": rests("workspace#admin"),
		},
	}
	for _, h := range holds {
		w.held[h] = true
	}
	w.past["0"] = maps.Clone(w.held)
	return w
}

// failing returns what a method fails with. The caller holds the lock.
func (w *world) failing(method string) error {
	err := w.methods[method]
	if err == nil {
		return nil
	}
	if w.spared > 0 {
		w.spared--
		return nil
	}
	if w.once {
		delete(w.methods, method)
	}
	return err
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
// is not held any more) and brings the update that did it.
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
	w.bring(authz.WatchEvent{Updates: []authz.RelationshipUpdate{parseUpdate(update)}})
}

func (w *world) bring(e authz.WatchEvent) {
	w.events = append(w.events, e)
	e.Through = w.head()
	w.events[len(w.events)-1].Through = e.Through
	w.past[e.Through] = maps.Clone(w.held)
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

func (w *world) CheckPermissions(ctx context.Context, checks []authz.Check) ([]authz.CheckResult, authz.ZedToken, error) {
	whats := make([]string, len(checks))
	w.mu.Lock()
	for i, c := range checks {
		whats[i] = c.Resource.String() + "#" + c.Permission
		w.contexts = append(w.contexts, c.Context)
	}
	w.mu.Unlock()
	w.mu.Lock()
	results := make([]authz.CheckResult, len(checks))
	for i, c := range checks {
		item := c.Subject.ID + " " + whats[i]
		results[i] = authz.CheckResult{Held: (w.held[item] || w.checked[item]) && w.items[item] == nil, Err: w.items[item]}
	}
	at := w.head()
	w.mu.Unlock()
	if err := w.ask(ctx, whats...); err != nil {
		return nil, "", err
	}
	return results, at, nil
}

// head names the revision. The caller holds the lock.
func (w *world) head() authz.ZedToken { return authz.ZedToken(strconv.Itoa(len(w.events))) }

func (w *world) LookupResources(ctx context.Context, l authz.Lookup, yield func(string)) (authz.ZedToken, error) {
	what := l.ResourceType + "#" + l.Permission
	w.mu.Lock()
	w.contexts = append(w.contexts, l.Context)
	held, at := w.held, w.head()
	if l.At != "" {
		at = l.At
		what += " at " + string(l.At)
		held = w.past[l.At]
	}
	var found []string
	for h := range held {
		rest, ok := strings.CutPrefix(h, l.Subject.ID+" "+l.ResourceType+":")
		if id, ok2 := strings.CutSuffix(rest, "#"+l.Permission); ok && ok2 {
			found = append(found, id)
		}
	}
	w.mu.Unlock()
	if held == nil {
		return "", authz.E(authz.Invalid, "look up", errors.New("the revision is gone"))
	}
	if err := w.ask(ctx, what); err != nil {
		return "", err
	}
	for _, id := range found {
		yield(id)
	}
	if w.emptyToken && len(found) == 0 {
		at = ""
	}
	return at, nil
}

func (w *world) LookupSubjects(ctx context.Context, resource authz.ObjectRef, permission, subjectType string, yield func(authz.SubjectFound)) (authz.ZedToken, error) {
	what := resource.String() + "#" + permission
	w.mu.Lock()
	at := w.head()
	var found []authz.SubjectFound
	for h := range w.held {
		if id, ok := strings.CutSuffix(h, " "+what); ok {
			found = append(found, authz.SubjectFound{ID: id})
		}
	}
	found = append(found, w.subjects[what]...)
	w.mu.Unlock()
	if err := w.ask(ctx, what+"@"+subjectType); err != nil {
		return "", err
	}
	for _, s := range found {
		yield(s)
	}
	return at, nil
}

func (w *world) Reach(ctx context.Context, token authz.ZedToken) error {
	return w.ask(ctx, "reach "+string(token))
}

func (w *world) Head(context.Context) (authz.ZedToken, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failing("Head"); err != nil {
		return "", false, err
	}
	return w.head(), w.heartbeat, w.away
}

func (w *world) Dependencies(_ context.Context, definition, permission string) (authz.Dependencies, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unreadable > 0 {
		w.unreadable--
		return authz.Dependencies{}, errDown
	}
	if err := w.failing("Dependencies"); err != nil {
		return authz.Dependencies{}, err
	}
	w.reads[definition+"#"+permission]++
	d, ok := w.deps[definition+"#"+permission]
	if !ok && w.away == nil {
		return d, authz.E(authz.Unanswerable, "dependencies", errors.New("no such permission"))
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
	err = w.failing("Watch")
	w.mu.Unlock()
	if err != nil {
		return err
	}
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

func (w *world) Heartbeat(_ context.Context, process string, n uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failing("Heartbeat"); err != nil {
		return err
	}
	if w.away == nil {
		w.bring(authz.WatchEvent{Heartbeats: map[string]uint64{process: n}})
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

// inBubble runs a test of a cache that watches the world, in a time of its own.
func inBubble(t *testing.T, w *world, change func(*Config), test func(t *testing.T, c *Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w.changed = make(chan struct{}) // of the bubble
		running(t, w, change, func(c *Cache) { test(t, c) })
	})
}

// running has a test use a cache that runs meanwhile, in a bubble.
func running(t *testing.T, w *world, change func(*Config), test func(c *Cache)) {
	t.Helper()
	starting(t, w, change, func(c *Cache) {
		later(recheckAfter) // what is asked now is not asked once more for its start
		test(c)
	})
}

// starting is running from the first moment on.
func starting(t *testing.T, w *world, change func(*Config), test func(c *Cache)) {
	t.Helper()
	c := newCache(t, w, change)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	synctest.Wait()
	defer func() {
		cancel()
		if err := errors.Join(<-done, c.Close()); err != nil {
			t.Error(err)
		}
	}()
	test(c)
}

func newCache(t *testing.T, engine authz.Engine, change func(*Config)) *Cache {
	t.Helper()
	cfg := Config{Engine: engine, Key: testKey, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// subscribe returns a subscription to what a person may see by some filters.
func subscribe(t *testing.T, c *Cache, who string, filters ...authz.Filter) authz.Subscription {
	t.Helper()
	return subscribeTo(t, c, authz.Question{Subject: person(who), Rule: authz.Rule{Filters: filters}})
}

func subscribeRule(t *testing.T, c *Cache, who string, rule authz.Rule) authz.Subscription {
	t.Helper()
	return subscribeTo(t, c, authz.Question{Subject: person(who), Rule: rule})
}

func subscribeTo(t *testing.T, c *Cache, q authz.Question) authz.Subscription {
	t.Helper()
	s, err := c.Subscribe(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Release)
	return s
}

// decide makes sure of what is decided, and returns it.
func decide(t *testing.T, s authz.Subscription, want string) authz.Decision {
	t.Helper()
	d, err := s.Decide(t.Context(), authz.Bounded, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(s, d.Grants); got != want {
		t.Fatalf("decided %s, want %s", got, want)
	}
	return d
}

// describe prints grants: "[d1 d2] [p1]", or "everything".
func describe(s authz.Subscription, g authz.Grants) string {
	if g.IsEverything() {
		return "everything"
	}
	texts := make([]string, len(s.(*subscription).q.q.Rule.Filters))
	for i := range texts {
		texts[i] = fmt.Sprint(slices.Sorted(g.Set(i).All()))
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
