package e2e_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/shapetoken"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/forwardauth"
	"github.com/shapegate/shapegate/integration/grantcachetest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

// Everything waits for a short time here, so that what is noticed at the end of a
// wait, such as a change of grants, is noticed soon. A client takes an event
// stream of less than a second for a broken one.
const (
	longPoll  = 500 * time.Millisecond
	stream    = 2500 * time.Millisecond
	keepAlive = 400 * time.Millisecond

	// A busy machine must not make grants look stale, and SpiceDB being away must
	// be noticed soon.
	heartbeat = 200 * time.Millisecond
	staleness = 2 * time.Second
)

// A table and its shape beside the demo's, with a column of each type that queries compare.
var (
	//go:embed tasks.sql
	tasksSQL string
	//go:embed tasks.yaml
	tasksShapes []byte
)

const (
	electricSecret = "the secret of the Electric stand-in"
	spicedbKey     = "the preshared key of the end-to-end tests"
)

// worldOptions say how the proxy of a world reaches its parts.
type worldOptions struct {
	SpiceDB  string `json:"spicedb"`  // "tcp": over the network; "": in process
	Sessions string `json:"sessions"` // "redis": a real server; "": miniredis

	// TokenSeconds is how long a token of the gatekeeper lasts; 0: five minutes.
	TokenSeconds int `json:"tokenSeconds"`

	// Front is "caddy": Caddy is in front, and has Electric itself answer requests for
	// project_documents; "": clients reach the proxy.
	Front string `json:"front"`

	// Replicas is how many proxies there are, which take turns at the requests; 0: one.
	Replicas int `json:"replicas"`
}

// process is a proxy, as one process of a deployment runs it.
type process struct {
	handler *proxy.Handler
	cache   *grantcachetest.Cache
}

func (p *process) end() error {
	p.handler.Drain()
	p.handler.Close()
	return p.cache.End()
}

// processes are the replicas of a deployment, which share nothing but their configuration.
type processes []*process

func (p processes) end() error {
	var errs []error
	for _, one := range p {
		errs = append(errs, one.end())
	}
	return errors.Join(errs...)
}

// world is one deployment of everything, with the demo's data, for one test.
type world struct {
	tables *electrictest.Server
	spice  *spicedbtest.Server

	engine   *spicedb.Client
	redis    redis.UniversalClient
	electric *electric.Client
	upstream *httptest.Server

	front  *httptest.Server
	caddy  *forwardauth.Front        // nil: there is none
	shapes string                    // shapes.yaml
	served atomic.Pointer[processes] // what front serves, in turns
	turn   atomic.Int64
	secret []byte
	tokens *shapetoken.Authority // of the gatekeeper

	ends []func() error

	mu   sync.Mutex // one change at a time
	ever everSeen
}

// newWorld opens a world. If it fails, what was opened is closed again.
func newWorld(ctx context.Context, o worldOptions, servers redisServers) (*world, error) {
	w := &world{ever: make(everSeen), secret: newSecret(), shapes: demo.Shapes}
	if o.Front != "" {
		w.shapes = strings.Replace(demo.Shapes, "params: {project: {}}", "params: {project: {}}\n    first_read: stored", 1)
	}
	if err := w.start(ctx, o, servers); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) start(ctx context.Context, o worldOptions, servers redisServers) error {
	if err := w.startElectric(); err != nil {
		return fmt.Errorf("electric: %w", err)
	}
	if err := w.startSpiceDB(ctx, o.SpiceDB == "tcp"); err != nil {
		return fmt.Errorf("spicedb: %w", err)
	}
	address := servers.mini
	if o.Sessions == "redis" {
		address = servers.real
	}
	var err error
	if w.redis, err = session.Dial(session.RedisConfig{URL: "redis://" + address}); err != nil {
		return err
	}
	w.atEnd(w.redis.Close)
	keys, err := newKeys()
	if err != nil {
		return err
	}
	w.tokens = shapetoken.New(shapetoken.Config{Keys: keys, Life: time.Duration(o.TokenSeconds) * time.Second})
	p, err := w.newProcesses(max(o.Replicas, 1)) //nolint:contextcheck // they serve requests, which have contexts of their own
	if err != nil {
		return err
	}
	w.served.Store(&p)
	w.atEnd(func() error { return w.served.Load().end() })
	w.front = w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.next().handler.ServeHTTP(rw, r)
	}))
	w.atEnd(func() error {
		for _, p := range *w.served.Load() {
			p.handler.Drain()
		}
		return nil
	})
	if o.Front != "" {
		if err := w.startCaddy(ctx); err != nil {
			return fmt.Errorf("caddy: %w", err)
		}
	}
	return w.remember(ctx)
}

// next returns the proxy whose turn it is.
func (w *world) next() *process {
	p := *w.served.Load()
	return p[w.turn.Add(1)%int64(len(p))]
}

// startCaddy puts Caddy in front of the proxy and Electric, with the file that users copy.
func (w *world) startCaddy(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "shapegate-e2e-caddy")
	if err != nil {
		return err
	}
	w.atEnd(func() error { return os.RemoveAll(dir) })
	asked := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.next().handler.ForwardAuth().ServeHTTP(rw, r)
	}))
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	w.caddy, err = forwardauth.StartCaddy(ctx, dir, "Caddyfile", forwardauth.Places{
		ForwardAuth: host(asked.URL), Shapegate: host(w.front.URL), Electric: host(w.upstream.URL), ElectricSecret: url.QueryEscape(electricSecret),
	})
	if err != nil {
		return err
	}
	w.atEnd(w.caddy.Stop)
	return nil
}

func (w *world) startElectric() error {
	w.tables = electrictest.New(electrictest.Options{
		Secret: electricSecret, LongPollTimeout: longPoll, KeepAlive: keepAlive, SSETimeout: stream,
	})
	if _, err := w.tables.Exec(demo.SQL + tasksSQL); err != nil {
		return err
	}
	w.upstream = w.serve(w.tables)
	w.atEnd(func() error { w.tables.Close(); return nil })
	pool := &http.Transport{MaxIdleConnsPerHost: 64}
	w.atEnd(func() error { pool.CloseIdleConnections(); return nil })
	var err error
	w.electric, err = electric.NewClient(electric.Config{
		URL: w.upstream.URL, Secret: electricSecret, Transport: pool,
	})
	return err
}

func (w *world) startSpiceDB(ctx context.Context, overTCP bool) error {
	cfg := spicedbtest.Config{Schema: demo.Schema, Token: spicedbKey}
	for line := range strings.Lines(demo.Relationships) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			cfg.Relationships = append(cfg.Relationships, line)
		}
	}
	if overTCP {
		cfg.ListenAddr = "127.0.0.1:0"
	}
	var err error
	if w.spice, err = spicedbtest.New(ctx, cfg); err != nil {
		return err
	}
	w.atEnd(w.spice.Close)
	client := spicedb.Config{Endpoint: "spicedb", Token: spicedbKey, Insecure: true, Logger: quiet()}
	if overTCP {
		client.Endpoint = w.spice.Addr()
	} else {
		client.Dialer = w.spice.DialContext
	}
	if w.engine, err = spicedb.Dial(client); err != nil {
		return err
	}
	w.atEnd(w.engine.Close)
	return nil
}

func (w *world) newProcesses(n int) (processes, error) {
	var all processes
	for range n {
		p, err := w.newProcess()
		if err != nil {
			return nil, errors.Join(err, all.end())
		}
		all = append(all, p)
	}
	return all, nil
}

// newProcess makes a proxy as a new process would: it shares nothing with the one
// before but its configuration.
func (w *world) newProcess() (*process, error) {
	shapes, err := schema.Parse("shapes.yaml", []byte(w.shapes))
	if err != nil {
		return nil, err
	}
	tasks, err := schema.Parse("tasks.yaml", tasksShapes)
	if err != nil {
		return nil, err
	}
	verifier, err := identity.New(context.Background(), identity.Config{Secret: []byte(jwtSecret)})
	if err != nil {
		return nil, err
	}
	cache, err := grantcachetest.Run(grantcache.Config{
		Engine: w.engine, Key: authz.NewFingerprintKey(w.secret), Heartbeat: heartbeat, MaxStaleness: staleness, Logger: quiet(),
	})
	if err != nil {
		return nil, err
	}
	h, err := proxy.New(proxy.Config{
		Shapes:          schema.File{Shapes: append(shapes.Shapes, tasks.Shapes...), Grants: append(shapes.Grants, tasks.Grants...)},
		Authorizer:      cache,
		Tokens:          verifier,
		Electric:        w.electric,
		Secret:          w.secret,
		Sessions:        session.NewManager(session.NewRedis(w.redis, ""), 10*time.Minute),
		ShapeTokens:     w.tokens,
		LongPollTimeout: longPoll,
		StreamTimeout:   stream,
		KeepAlive:       keepAlive,
		Logger:          quiet(),
	})
	if err != nil {
		return nil, errors.Join(err, cache.End())
	}
	return &process{h, cache}, nil
}

// heard returns once each proxy has heard of everything that was written before.
func (w *world) heard(ctx context.Context) error {
	for _, p := range *w.served.Load() {
		s, err := p.cache.Sentinel(ctx, grantcachetest.Post{
			ResourceType: "project", Relation: "lead", Permission: "view_all", Touch: w.spice.Touch,
		})
		if err != nil {
			return err
		}
		s.Release()
	}
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newKeys makes a key that the gatekeeper signs with.
func newKeys() (*shapetoken.KeySet, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return shapetoken.ParseKeys(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newSecret() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	return secret
}

// url is where clients find the proxy. It outlives restarts.
func (w *world) url() string {
	if w.caddy != nil {
		return w.caddy.URL
	}
	return w.front.URL
}

// close ends everything that was started, the last first.
func (w *world) close() error {
	var errs []error
	for _, end := range slices.Backward(w.ends) {
		errs = append(errs, end())
	}
	w.ends = nil
	return errors.Join(errs...)
}

// atEnd has end called by close.
func (w *world) atEnd(end func() error) { w.ends = append(w.ends, end) }

// serve serves h until the end, at which requests that are still held are cut.
func (w *world) serve(h http.Handler) *httptest.Server {
	s := httptest.NewServer(h)
	w.atEnd(func() error {
		s.CloseClientConnections()
		s.Close()
		return nil
	})
	return s
}

// restart ends the proxies as a crash does, and puts new ones in their place.
func (w *world) restart(r *http.Request) (any, error) {
	var o struct {
		NewSecret bool `json:"newSecret"` // the new one knows no handle of the old one's
	}
	if err := readJSON(r, &o); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.NewSecret {
		w.secret = newSecret()
	}
	p, err := w.newProcesses(len(*w.served.Load()))
	if err != nil {
		return nil, err
	}
	old := w.served.Swap(&p)
	w.front.CloseClientConnections()
	return nil, old.end()
}

func (w *world) pauseSpiceDB(*http.Request) (any, error) {
	w.spice.Pause()
	return nil, nil
}

func (w *world) resumeSpiceDB(*http.Request) (any, error) { return nil, w.spice.Resume() }

// change writes relationships and rows. Deletes come first and touches last, so
// that what is permitted in between was permitted before or is permitted after.
func (w *world) change(r *http.Request) (any, error) {
	var c struct {
		Delete []string `json:"delete"`
		SQL    string   `json:"sql"`
		Touch  []string `json:"touch"`
	}
	if err := readJSON(r, &c); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(c.Delete) > 0 {
		if err := w.spice.Delete(r.Context(), c.Delete...); err != nil {
			return nil, err
		}
		// A write in the instant before the proxy hears of a revocation may reach
		// the person who lost the grant: that is what the staleness bound says.
		if err := w.heard(r.Context()); err != nil {
			return nil, err
		}
	}
	var txid int64
	if c.SQL != "" {
		var err error
		if txid, err = w.tables.Exec(c.SQL); err != nil {
			return nil, err
		}
	}
	if err := w.spice.Touch(r.Context(), c.Touch...); err != nil {
		return nil, err
	}
	return map[string]int64{"txid": txid}, w.remember(r.Context())
}
