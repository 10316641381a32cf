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
	Shapes     []schema.Shape
	Authorizer Authorizer
	Tokens     TokenVerifier
	Electric   *electric.Client

	// Secret keys the handles that clients hold. Replicas that serve the same
	// clients must share it; with another one, every client begins anew. A key of
	// its own is derived from it.
	Secret []byte

	// Feeds bounds what is read of Electric for everybody, and what is kept of it. Its
	// Upstream, Logger and Registerer are the handler's.
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
	shapes     map[string]*shape
	authorizer Authorizer
	tokens     TokenVerifier
	sessions   Sessions
	electric   *electric.Client
	feeds      *feed.Feeds
	limiter    *limiter
	watches    watches
	cors       *cors.Cors
	cookie     Cookie
	ready      func() bool

	key      cursor.Key
	literals *literals
	timeouts timeouts

	log     *slog.Logger
	metrics *metrics
	routes  http.Handler
	now     func() time.Time

	draining context.Context //nolint:containedctx // ends with Drain
	drain    context.CancelFunc
}

// timeouts bound how long a held request lasts, and how long a body may take.
type timeouts struct{ longPoll, stream, keepAlive, body time.Duration }

// minSecret is the least length of Config.Secret, in bytes.
const minSecret = 16

// New returns a handler. It connects to nothing yet: that SpiceDB, Electric or
// Redis are away is answered request by request. The caller closes it.
func New(cfg Config) (*Handler, error) {
	switch {
	case len(cfg.Shapes) == 0:
		return nil, errors.New("proxy: no shapes")
	case cfg.Authorizer == nil, cfg.Tokens == nil, cfg.Electric == nil:
		return nil, errors.New("proxy: Authorizer, Tokens and Electric are needed")
	case len(cfg.Secret) < minSecret:
		return nil, fmt.Errorf("proxy: Secret has fewer than %d bytes", minSecret)
	}
	h := &Handler{
		authorizer: cfg.Authorizer,
		tokens:     cfg.Tokens,
		sessions:   cfg.Sessions,
		electric:   cfg.Electric,
		key:        cursor.NewKey(cfg.Secret),
		literals:   newLiterals(),
		timeouts: timeouts{
			longPoll:  orDefault(cfg.LongPollTimeout, 20*time.Second),
			stream:    orDefault(cfg.StreamTimeout, 60*time.Second),
			keepAlive: orDefault(cfg.KeepAlive, 21*time.Second),
			body:      orDefault(cfg.BodyTime, 30*time.Second),
		},
		ready: cfg.Ready,
		log:   cfg.Logger,
		now:   time.Now,
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	var err error
	if h.metrics, err = newMetrics(cfg.Registerer); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if h.shapes, err = newShapes(cfg.Shapes, newNotes(h.metrics, h.log)); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if h.cors, err = newCORS(cfg.CORSOrigins); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if h.cookie, err = cfg.Cookie.withDefaults(); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if h.limiter, err = newLimiter(cfg.Limits, cfg.Waiting, cfg.WaitingPerSubject, cfg.Registerer); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	cfg.Feeds.Upstream, cfg.Feeds.Logger, cfg.Feeds.Registerer = cfg.Electric, h.log, cfg.Registerer
	if h.feeds, err = feed.New(cfg.Feeds); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	h.draining, h.drain = context.WithCancel(context.Background())
	h.routes = h.newRoutes()
	return h, nil
}

func orDefault[T ~int | ~int64](value, def T) T {
	if value <= 0 {
		return def
	}
	return value
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.routes.ServeHTTP(w, r) }

// Drain makes every request that is being held answer now, and every later one
// answer without waiting. Call it before the server's Shutdown, which waits for
// requests that are under way. It may be called more than once.
func (h *Handler) Drain() { h.drain() }

// Close ends what runs besides requests. Call it when all of them are answered.
func (h *Handler) Close() { h.feeds.Close() }

// Feeds says of each feed of Electric's how it is, for operators.
func (h *Handler) Feeds() []feed.Status { return h.feeds.Status() }
