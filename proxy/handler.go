package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/cors"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/rush"
	"github.com/shapegate/shapegate/schema"
)

// Authorizer decides who may see what, and says when a decision changes.
// *grantcache.Cache is one.
type Authorizer interface {
	// Subscribe returns a subscription to a question, and asks SpiceDB nothing yet.
	// Errors are Invalid and Unavailable. The caller releases the subscription.
	Subscribe(q authz.Question) (authz.Subscription, error)
}

// Config is what a Handler is made of. Shapes, Authorizer, Tokens, Electric and
// Secret are needed.
type Config struct {
	Shapes     schema.File // what shapes.yaml defines
	Authorizer Authorizer
	Tokens     TokenVerifier
	Electric   *electric.Client

	// Secret keys the handles that clients hold. Replicas that serve the same
	// clients must share it; with another one, every client begins anew. A key of
	// its own is derived from it.
	Secret []byte

	// Feeds bounds what is read of Electric for everybody, and what is kept of it. Its
	// Upstream, Rushes, Logger and Registerer are the handler's.
	Feeds feed.Config

	// Waiting bounds how many long-polls and event streams may be open, and
	// WaitingPerSubject how many of one subject; 0: 50,000 and 500.
	Waiting, WaitingPerSubject int

	// Limits bound what else one subject may ask for at the same time.
	Limits Limits

	// BodyTime is how long a client may take to send its body; 0: 30 s.
	BodyTime time.Duration

	// Sessions serves /v1/session; nil: there are none.
	Sessions Sessions

	// Cookie is the form of a session's cookie.
	Cookie Cookie

	// ShapeTokens serves /v1/gatekeeper and /.well-known/jwks.json, and has its tokens read
	// shapes; nil: there are none.
	ShapeTokens ShapeTokens

	// PublicURL is where clients reach the handler, as in https://sync.example.com. It begins
	// the URL that the gatekeeper answers; empty: the request's own host does.
	PublicURL string

	// TokenSources are where a JWT may be, besides the Authorization header.
	TokenSources TokenSources

	// Front is what stands between the clients and the handler.
	Front Front

	// Ready says whether shapes may be served yet; while it returns false, they are
	// answered with 503. Nil: they always may.
	Ready func() bool

	// CORSOrigins are the origins whose pages may call: "https://app.example",
	// or "*" alone for any, which then cannot use cookies.
	CORSOrigins []string

	// LongPollTimeout is how long a long-poll waits; 0: 20 s, as Electric's.
	LongPollTimeout time.Duration
	// StreamTimeout is how long an event stream lasts; 0: 60 s, as Electric's.
	StreamTimeout time.Duration
	// KeepAlive is how long an event stream may be silent; 0: 21 s, as Electric's.
	KeepAlive time.Duration

	Logger     *slog.Logger          // nil: slog.Default()
	Registerer prometheus.Registerer // nil: nothing is exported
}

// Handler serves shapes and sessions. It is an http.Handler that can be mounted
// in any server.
type Handler struct {
	routes      http.Handler
	forwardAuth http.Handler
	shapes      *shapeServer
	middleware  *middleware
	drain       context.CancelFunc
}

// minSecret is the least length of Config.Secret, in bytes.
const minSecret = 16

func (c *Config) check() error {
	switch {
	case len(c.Shapes.Shapes) == 0:
		return errors.New("proxy: no shapes")
	case c.Authorizer == nil, c.Tokens == nil, c.Electric == nil:
		return errors.New("proxy: Authorizer, Tokens and Electric are needed")
	case len(c.Secret) < minSecret:
		return fmt.Errorf("proxy: Secret has fewer than %d bytes", minSecret)
	}
	return nil
}

// New returns a handler. It connects to nothing yet: that SpiceDB, Electric or
// Redis are away is answered request by request. The caller closes it.
func New(cfg Config) (*Handler, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	h, err := newHandler(&cfg)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return h, nil
}

func newHandler(cfg *Config) (*Handler, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	counts, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	notes := newNotes(counts, cfg.Logger)
	shapes, err := newShapes(cfg.Shapes.Shapes, notes)
	if err != nil {
		return nil, err
	}
	collections, err := newCollections(cfg.Shapes.Grants)
	if err != nil {
		return nil, err
	}
	origins, sources, cookie, err := cfg.browsers()
	if err != nil {
		return nil, err
	}
	core, drain, err := cfg.server(sources, counts)
	if err != nil {
		return nil, err
	}
	core.rushes = rush.New() // last: from here on there are goroutines
	up, err := cfg.upstream(core.rushes)
	if err != nil {
		core.rushes.Close()
		return nil, err
	}
	reads := &shapeServer{server: core, shapes: shapes, upstream: up}
	var sessions *sessionServer
	if cfg.Sessions != nil {
		sessions = &sessionServer{auth: core.auth, limiter: core.limiter, bodies: core.bodies, cookie: cookie}
	}
	var keeper *gatekeeper
	if cfg.ShapeTokens != nil {
		keeper = &gatekeeper{shapes: reads, tokens: cfg.ShapeTokens, publicURL: cfg.PublicURL, basePath: cfg.Front.BasePath}
	}
	m := &middleware{cors: origins, vary: sources.vary(), front: cfg.Front, metrics: counts, names: make(map[string]bool), log: cfg.Logger}
	for _, def := range cfg.Shapes.Guarded() {
		m.names[def.Name] = true
	}
	return &Handler{
		routes: m.routes(reads, &grantsServer{core, collections, notes}, sessions, keeper), forwardAuth: m.forwardAuth(reads),
		shapes: reads, middleware: m, drain: drain,
	}, nil
}

// server returns what all servers share, and what ends their waiting.
func (c *Config) server(sources tokenSources, counts *metrics) (*server, context.CancelFunc, error) {
	limits, err := newLimiter(c.Limits, c.Waiting, c.WaitingPerSubject, c.Registerer)
	if err != nil {
		return nil, nil, err
	}
	draining, drain := context.WithCancel(context.Background())
	return &server{
		ready:      c.Ready,
		auth:       &authentication{sources: sources, tokens: c.Tokens, sessions: c.Sessions, shapes: c.ShapeTokens},
		limiter:    limits,
		authorizer: c.Authorizer,
		key:        cursor.NewKey(c.Secret),
		bodies:     bodies{time: orDefault(c.BodyTime, 30*time.Second), draining: draining},
		holding: holding{
			longPoll:  orDefault(c.LongPollTimeout, 20*time.Second),
			stream:    orDefault(c.StreamTimeout, 60*time.Second),
			keepAlive: orDefault(c.KeepAlive, 21*time.Second),
			draining:  draining,
		},
		metrics: counts,
		log:     c.Logger,
	}, drain, nil
}

// upstream returns Electric, with nothing kept of it yet.
func (c *Config) upstream(rushes *rush.Rushes) (upstream, error) {
	shared, err := newSharedSnapshots(c.Registerer)
	if err != nil {
		return upstream{}, err
	}
	c.Feeds.Upstream, c.Feeds.Rushes, c.Feeds.Logger, c.Feeds.Registerer = c.Electric, rushes, c.Logger, c.Registerer
	feeds, err := feed.New(c.Feeds)
	if err != nil {
		return upstream{}, err
	}
	return upstream{
		electric: c.Electric, feeds: feeds, literals: newLiterals(),
		shared: shared, forwarded: newForwardedLogs(feeds.PerSubject()),
	}, nil
}

// browsers reads what is about pages and cookies: whose pages may call, where tokens may be,
// and the form of the session cookie.
func (c *Config) browsers() (*cors.Cors, tokenSources, Cookie, error) {
	if err := c.Front.Check(); err != nil {
		return nil, tokenSources{}, Cookie{}, fmt.Errorf("BasePath: %w", err)
	}
	cookie, err := c.Cookie.withDefaults()
	if err != nil {
		return nil, tokenSources{}, Cookie{}, err
	}
	cookie.path = c.Front.cookiePath()
	origins, err := newCORS(c.CORSOrigins)
	if err != nil {
		return nil, tokenSources{}, Cookie{}, err
	}
	sources, err := newTokenSources(c.TokenSources, c.CORSOrigins)
	if err != nil {
		return nil, tokenSources{}, Cookie{}, fmt.Errorf("TokenSources: %w", err)
	}
	return origins, sources, cookie, nil
}

func orDefault[T ~int | ~int64](value, def T) T {
	if value <= 0 {
		return def
	}
	return value
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.routes.ServeHTTP(w, r) }

// ForwardAuth serves /v1/authorize, for Caddy, nginx or Traefik in front of Electric: whether
// a request that they got may be sent to Electric, and as which. Its answers tell of shape
// definitions what clients are not told, so it is served where clients do not reach it.
func (h *Handler) ForwardAuth() http.Handler { return h.forwardAuth }

// Drain makes every request that is being held answer now, and every later one
// answer without waiting. Call it before the server's Shutdown, which waits for
// requests that are under way. It may be called more than once.
func (h *Handler) Drain() { h.drain() }

// Close ends what runs besides requests. Call it when all of them are answered.
func (h *Handler) Close() {
	h.shapes.upstream.shared.Close()
	h.shapes.upstream.feeds.Close()
	h.shapes.rushes.Close()
}

// Feeds says of each feed of Electric's how it is, for operators.
func (h *Handler) Feeds() []feed.Status { return h.shapes.upstream.feeds.Status() }
