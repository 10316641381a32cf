package model_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
)

// door is the way to an Electric. While it is shut, every request is cut.
type door struct {
	server *httptest.Server
	shut   atomic.Bool
}

func openDoor(electric http.Handler) *door {
	d := &door{}
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.shut.Load() {
			panic(http.ErrAbortHandler)
		}
		electric.ServeHTTP(w, r)
	}))
	return d
}

func (d *door) url() string { return d.server.URL }

func (d *door) shutNow() {
	d.shut.Store(true)
	d.server.CloseClientConnections()
}

func (d *door) open() { d.shut.Store(false) }

func (d *door) close() {
	d.server.CloseClientConnections()
	d.server.Close()
}

// faultyEngine is an engine some of whose methods fail.
type faultyEngine struct {
	authz.Engine

	mu     sync.Mutex
	fails  map[string]error
	broken chan struct{} // closed, and replaced, when the watch breaks
}

var engineMethods = []string{"CheckPermissions", "LookupResources", "LookupSubjects", "Reach", "Head", "Dependencies", "Watch", "Heartbeat"}

func newFaultyEngine(e authz.Engine) *faultyEngine {
	return &faultyEngine{Engine: e, broken: make(chan struct{})}
}

// fail has some methods fail from now on, and breaks the watch.
func (f *faultyEngine) fail(fails map[string]error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = fails
	close(f.broken)
	f.broken = make(chan struct{})
}

// recover has every method succeed again.
func (f *faultyEngine) recover() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = nil
}

func (f *faultyEngine) failure(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fails[method]
}

func (f *faultyEngine) CheckPermissions(ctx context.Context, checks []authz.Check) ([]authz.CheckResult, authz.ZedToken, error) {
	if err := f.failure("CheckPermissions"); err != nil {
		return nil, "", err
	}
	return f.Engine.CheckPermissions(ctx, checks)
}

// LookupResources fails after a part of its answer.
func (f *faultyEngine) LookupResources(ctx context.Context, l authz.Lookup, yield func(string)) (authz.ZedToken, error) {
	token, err := f.Engine.LookupResources(ctx, l, yield)
	if failure := f.failure("LookupResources"); failure != nil {
		return "", failure
	}
	return token, err
}

func (f *faultyEngine) LookupSubjects(ctx context.Context, resource authz.ObjectRef, permission, subjectType string, yield func(authz.SubjectFound)) (authz.ZedToken, error) {
	token, err := f.Engine.LookupSubjects(ctx, resource, permission, subjectType, yield)
	if failure := f.failure("LookupSubjects"); failure != nil {
		return "", failure
	}
	return token, err
}

func (f *faultyEngine) Reach(ctx context.Context, token authz.ZedToken) error {
	if err := f.failure("Reach"); err != nil {
		return err
	}
	return f.Engine.Reach(ctx, token)
}

func (f *faultyEngine) Head(ctx context.Context) (authz.ZedToken, bool, error) {
	if err := f.failure("Head"); err != nil {
		return "", false, err
	}
	return f.Engine.Head(ctx)
}

func (f *faultyEngine) Dependencies(ctx context.Context, definition, permission string) (authz.Dependencies, error) {
	if err := f.failure("Dependencies"); err != nil {
		return authz.Dependencies{}, err
	}
	return f.Engine.Dependencies(ctx, definition, permission)
}

var errBroken = authz.E(authz.Unavailable, "watch", errors.New("the watch was broken"))

// Watch breaks when methods begin to fail, whichever they are.
func (f *faultyEngine) Watch(ctx context.Context, after authz.ZedToken, yield func(authz.WatchEvent)) error {
	f.mu.Lock()
	failure, broken := f.fails["Watch"], f.broken
	f.mu.Unlock()
	if failure != nil {
		return failure
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-broken:
			cancel(errBroken)
		case <-ctx.Done():
		}
	}()
	err := f.Engine.Watch(ctx, after, yield)
	if cause := context.Cause(ctx); errors.Is(cause, errBroken) {
		return cause
	}
	return err
}

func (f *faultyEngine) Heartbeat(ctx context.Context, process string, n uint64) error {
	if err := f.failure("Heartbeat"); err != nil {
		return err
	}
	return f.Engine.Heartbeat(ctx, process, n)
}

// cuttingTransport breaks the connection of some answers after some bytes.
type cuttingTransport struct {
	http.RoundTripper

	mu sync.Mutex
	r  *rand.Rand // nil: none is cut
}

func (c *cuttingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.r != nil && c.r.IntN(6) == 0 {
		const most = 1500
		resp.Body = &cutBody{resp.Body, c.r.IntN(most)}
	}
	return resp, err
}

// stop has it cut nothing any more.
func (c *cuttingTransport) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.r = nil
}

type cutBody struct {
	io.ReadCloser
	left int
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errors.Join(io.ErrUnexpectedEOF, b.Close())
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
