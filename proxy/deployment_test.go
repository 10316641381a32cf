package proxy_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/shapetoken"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/grantcachetest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/schema"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{}) // it would log every Redis that is away on purpose
	os.Exit(m.Run())
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// deadline bounds whatever a test waits for. It is long, since it only ends
// tests that have failed.
const deadline = 30 * time.Second

const (
	electricSecret = "the-secret-that-electric-wants"
	sessionTTL     = 15 * time.Minute
	tokenLife      = 5 * time.Minute // of one for a shape
)

var (
	jwtSecret    = []byte("the secret that tokens are signed with, for tests")
	handleSecret = []byte("the secret that handles are sealed with, for tests")
)

// deployment is a proxy with everything around it: the real SpiceDB engine, the
// Electric stand-in, and a store that speaks Redis' protocol. It ends with its
// test.
type deployment struct {
	t        *testing.T
	spicedb  *spicedbtest.Server
	engine   *spicedb.Client
	cache    *grantcachetest.Cache
	sentinel *grantcachetest.Sentinel // of the newest replica
	electric *electrictest.Server
	upstream *upstream
	redis    *miniredis.Miniredis
	clock    *clock // of tokens and sessions
	metrics  *prometheus.Registry
	logged   *safeBuffer
	handler  *proxy.Handler
	handlers []*proxy.Handler              // and those before it
	hear     []func(context.Context) error // each waits until one replica has heard of all writes
	url      string                        // of the proxy

	config        proxy.Config
	electricURL   string
	breakElectric func()
	client        *http.Client
	atEnd         []func()
}

// setup is what an option may change before a deployment starts.
type setup struct {
	config        proxy.Config
	electric      electrictest.Options
	relationships []string
	withoutEngine bool
	engine        spicedbtest.Config
	callTimeout   time.Duration
	cache         func(*grantcache.Config)
}

type option func(*setup)

// granting adds relationships to those of the world.
func granting(relationships ...string) option {
	return func(s *setup) { s.relationships = append(s.relationships, relationships...) }
}

// configured changes the proxy's configuration.
func configured(change func(*proxy.Config)) option { return func(s *setup) { change(&s.config) } }

// deciding puts another authorizer in the place of the engine.
func deciding(a proxy.Authorizer) option {
	return func(s *setup) { s.config.Authorizer, s.withoutEngine = a, true }
}

// caching changes how the grant cache works.
func caching(change func(*grantcache.Config)) option { return func(s *setup) { s.cache = change } }

// standIn changes how the Electric stand-in works.
func standIn(change func(*electrictest.Options)) option {
	return func(s *setup) { change(&s.electric) }
}

// deploy starts a deployment of the world.
func deploy(t *testing.T, options ...option) *deployment {
	t.Helper()
	s := setup{relationships: relationships, electric: electrictest.Options{Secret: electricSecret}}
	for _, o := range options {
		o(&s)
	}
	d := &deployment{t: t, clock: &clock{now: time.Now()}, metrics: prometheus.NewRegistry(), logged: &safeBuffer{}}
	t.Cleanup(d.close)
	d.startElectric(s.electric)
	d.startEngine(&s)
	d.startRedis()
	d.configure(s.config)
	d.handler, d.url = d.serve(d.config)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	d.client = &http.Client{Transport: d.documented(transport)}
	d.end(transport.CloseIdleConnections)
	return d
}

// end has do called when the deployment ends, before what was given earlier.
func (d *deployment) end(do func()) { d.atEnd = append(d.atEnd, do) }

func (d *deployment) close() {
	for i := len(d.atEnd) - 1; i >= 0; i-- {
		d.atEnd[i]()
	}
	d.atEnd = nil
}

func (d *deployment) startElectric(options electrictest.Options) {
	d.electric = electrictest.New(options)
	d.end(d.electric.Close)
	d.execUnread(tables)
	d.upstream = newUpstream()
	d.electric.Intercept(d.upstream.intercept)
	server := httptest.NewServer(d.electric)
	d.end(server.Close)
	d.electricURL, d.breakElectric = server.URL, server.CloseClientConnections
}

// electricIsLost breaks what is under way at Electric, and returns once the feeds know
// that they are not answered any more. The deployment has to be hasty.
func (d *deployment) electricIsLost() {
	d.t.Helper()
	d.breakElectric()
	d.awaitFeeds(func(s feed.Status) bool {
		return s.Failures > 1 && s.Lag > d.config.Feeds.Away || s.Position == ""
	})
}

// electricIsBack returns once the feeds know that they are answered again.
func (d *deployment) electricIsBack() {
	d.t.Helper()
	d.awaitFeeds(func(s feed.Status) bool { return s.Lag == 0 && s.Position != "" })
}

// awaitFeeds returns once every feed is as it should be.
func (d *deployment) awaitFeeds(is func(feed.Status) bool) {
	d.t.Helper()
	if d.handler == nil {
		return
	}
	d.await(func() bool {
		return !slices.ContainsFunc(d.handler.Feeds(), func(s feed.Status) bool { return !is(s) })
	})
}

// await looks again and again until something is so.
func (d *deployment) await(is func() bool) {
	d.t.Helper()
	ctx := d.context()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-ctx.Done():
			d.t.Fatal("it did not become so in time")
		}
	}
}

// withoutWindow has feeds keep nothing of their logs: a reader that is behind reads
// Electric's.
var withoutWindow = configured(func(c *proxy.Config) { c.Feeds.Memory = 1 })

// hasty has feeds fail soon when Electric is away.
var hasty = configured(func(c *proxy.Config) { c.Feeds.Away = 300 * time.Millisecond })

func (d *deployment) startEngine(s *setup) {
	if s.withoutEngine {
		return
	}
	s.engine.Schema, s.engine.Relationships = zed, s.relationships
	var err error
	d.spicedb, err = spicedbtest.New(d.t.Context(), s.engine)
	d.check(err)
	d.end(func() { d.check(d.spicedb.Close()) })
	client, err := spicedb.Dial(spicedb.Config{
		Endpoint: "spicedb", Token: d.spicedb.Token(), Insecure: true, Dialer: d.spicedb.DialContext,
		Logger: slog.New(slog.DiscardHandler), Timeout: s.callTimeout, LookupTimeout: s.callTimeout,
	})
	d.check(err)
	d.end(func() { _ = client.Close() })
	d.engine = client
	d.cache = d.runCache(s.cache)
	s.config.Authorizer = d.cache
}

// runCache runs a grant cache, as one process has it.
func (d *deployment) runCache(change func(*grantcache.Config)) *grantcachetest.Cache {
	d.t.Helper()
	c := grantcache.Config{
		Engine: d.engine, Key: authz.NewFingerprintKey(handleSecret), Heartbeat: 50 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&c)
	}
	cache, err := grantcachetest.Run(c)
	d.check(err)
	d.end(func() { d.check(cache.End()) })
	d.sentinel, err = cache.Sentinel(d.context(), grantcachetest.Post{
		ResourceType: "note", Relation: "viewer", Permission: "view", Touch: d.spicedb.Touch, Patient: true,
	})
	d.check(err)
	d.hear = append(d.hear, d.sentinel.Heard)
	return cache
}

func (d *deployment) startRedis() {
	d.redis = miniredis.NewMiniRedis()
	d.check(d.redis.Start())
	d.end(d.redis.Close)
}

// configure fills in what the options left out.
func (d *deployment) configure(c proxy.Config) {
	var err error
	if c.Shapes.Shapes == nil {
		c.Shapes, err = schema.Parse("shapes.yaml", []byte(shapesYAML))
		d.check(err)
	}
	if c.Secret == nil {
		c.Secret = handleSecret
	}
	if c.Limits.Rate == 0 {
		c.Limits.Rate, c.Limits.Burst = 1e6, 1e6 // tests ask again and again
	}
	c.Tokens, err = identity.New(d.t.Context(), identity.Config{Secret: jwtSecret, Now: d.clock.Now})
	d.check(err)
	c.Electric, err = electric.NewClient(electric.Config{URL: d.electricURL, Secret: electricSecret, Transport: d.transport()})
	d.check(err)
	store, err := session.Dial(session.RedisConfig{URL: "redis://" + d.redis.Addr()})
	d.check(err)
	d.end(func() { _ = store.Close() })
	c.Sessions = session.NewManager(session.NewRedis(store, ""), sessionTTL, session.WithClock(d.clock.Now))
	if c.ShapeTokens == nil {
		c.ShapeTokens = shapetoken.New(shapetoken.Config{Keys: newKeys(d.t), Life: tokenLife, Now: d.clock.Now})
	}
	c.Logger = slog.New(slog.NewTextHandler(d.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.Registerer = d.metrics
	d.config = c
}

func (d *deployment) transport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	d.end(t.CloseIdleConnections)
	return t
}

// serve runs a proxy.
func (d *deployment) serve(c proxy.Config) (*proxy.Handler, string) {
	h, err := proxy.New(c)
	d.check(err)
	d.end(h.Close)
	d.handlers = append(d.handlers, h)
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	d.end(func() {
		h.Drain() // or Close would wait for what is held
		server.CloseClientConnections()
		server.Close()
	})
	return h, server.URL
}

// replica runs another proxy over the same parts, as after a restart or on
// another machine, and sends what is sent from now on to it.
func (d *deployment) replica(change func(*proxy.Config)) {
	d.t.Helper()
	c := d.config
	if d.engine != nil {
		d.cache = d.runCache(nil)
		c.Authorizer = d.cache
	}
	d.metrics = prometheus.NewRegistry()
	c.Registerer = d.metrics
	if change != nil {
		change(&c)
	}
	d.handler, d.url = d.serve(c)
}

func (d *deployment) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// exec runs SQL in one transaction, and returns its id, once the proxy's feeds have
// read of it.
func (d *deployment) exec(sql string, args ...any) int64 {
	d.t.Helper()
	txid := d.execUnread(sql, args...)
	d.read()
	return txid
}

// execUnread runs SQL, and does not wait.
func (d *deployment) execUnread(sql string, args ...any) int64 {
	d.t.Helper()
	txid, err := d.electric.Exec(sql, args...)
	d.check(err)
	return txid
}

// read returns once the feeds of every proxy have read all that was written.
func (d *deployment) read() {
	d.t.Helper()
	d.await(func() bool {
		for _, h := range d.handlers {
			if slices.ContainsFunc(h.Feeds(), func(s feed.Status) bool {
				end, ok := d.electric.End(s.Handle)
				return !ok || s.Position != end
			}) {
				return false
			}
		}
		return true
	})
}

// context ends when the test is over or has waited for too long.
func (d *deployment) context() context.Context {
	ctx, cancel := context.WithTimeout(d.t.Context(), deadline)
	d.t.Cleanup(cancel)
	return ctx
}

// waitHeld returns once n requests wait at the proxy.
func (d *deployment) waitHeld(n int) {
	d.t.Helper()
	d.await(func() bool {
		waiting := 0
		for _, s := range d.handler.Feeds() {
			waiting += s.Waiting
		}
		return waiting == n
	})
}

// heldAgain returns once Electric was sent n long-polls, the last of which waits:
// what came before it was looked at, and passed over.
func (d *deployment) heldAgain(n int) {
	d.t.Helper()
	d.upstream.await(d.context(), d.t, n, asked.live)
	d.waitHeld(1)
}

// metric is the sum of a counter over its labels.
func (d *deployment) metric(name string) float64 {
	d.t.Helper()
	families, err := d.metrics.Gather()
	d.check(err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// token returns a JWT of a person that lasts for an hour, with further claims.
func (d *deployment) token(person string, claims jwt.MapClaims) string {
	d.t.Helper()
	all := jwt.MapClaims{"sub": person, "exp": d.clock.Now().Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, all).SignedString(jwtSecret)
	d.check(err)
	return token
}

// clock is a time that a test moves on.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// safeBuffer is a buffer that several goroutines write to.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
