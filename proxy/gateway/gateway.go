package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/extauthz"
	"github.com/shapegate/shapegate/schema"
)

// Config says what to build. Shapes, SpiceDB, Electric, Identity and Secret are
// needed.
type Config struct {
	Shapes   schema.File     // what shapes.yaml defines
	SpiceDB  spicedb.Config  // its Registerer and Logger are the gateway's
	Electric electric.Config // its Transport may be a stand-in
	Identity identity.Config // its Logger, if nil, is the gateway's

	// Redis is where sessions are kept; without a URL there are no sessions.
	Redis              session.RedisConfig
	SessionTTL         time.Duration // 0: session.Manager's default
	SessionsPerSubject int           // 0: session.Manager's default

	// Gatekeeper gives out tokens for single shapes; without a KeyFile there is none.
	Gatekeeper Gatekeeper

	// MaxStaleness bounds how old the grants may be that an answer rests on; 0: 5 s.
	MaxStaleness time.Duration

	// Secret keys the handles that clients hold, at least 16 bytes. Replicas that
	// serve the same clients share it.
	Secret []byte

	// Proxy has the limits, times, origins and the public URL of the HTTP handler. New fills
	// in its parts: Shapes, Authorizer, Tokens, ShapeTokens, Sessions, Electric, Secret,
	// Ready, Logger and Registerer.
	Proxy proxy.Config

	Logger *slog.Logger // nil: slog.Default()
}

// Gateway is a shapegate without its listeners.
type Gateway struct {
	log       *slog.Logger
	registry  *prometheus.Registry
	spicedb   *spicedb.Client
	electric  *electric.Client
	grants    *grantcache.Cache
	proxy     *proxy.Handler
	readiness *readiness
	explainer *Explainer
	closers   []func() error
}

// New builds a gateway. It does not connect. Errors mean that cfg cannot work.
// The caller closes the gateway.
func New(cfg Config) (_ *Gateway, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	g := &Gateway{log: cfg.Logger, registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	g.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := g.connect(cfg); err != nil {
		return nil, err
	}
	g.readiness = newReadiness(g.log, cfg.Shapes, g.spicedb, g.electric)
	g.explainer = NewExplainer(cfg.Shapes, g.spicedb, g.electric)
	if g.grants, err = grantcache.New(grantcache.Config{
		Engine:       g.spicedb,
		Key:          authz.NewFingerprintKey(cfg.Secret),
		MaxStaleness: cfg.MaxStaleness,
		Logger:       g.log,
		Registerer:   g.registry,
	}); err != nil {
		return nil, err
	}
	g.closers = append(g.closers, g.grants.Close)
	return g, g.newProxy(cfg)
}

// connect makes the clients of SpiceDB and Electric.
func (g *Gateway) connect(cfg Config) (err error) {
	cfg.SpiceDB.Registerer, cfg.SpiceDB.Logger = g.registry, g.log
	if g.spicedb, err = spicedb.Dial(cfg.SpiceDB); err != nil {
		return err
	}
	g.closers = append(g.closers, g.spicedb.Close)
	g.electric, err = electric.NewClient(cfg.Electric)
	return err
}

// newProxy makes the handler for clients, and what it identifies them with.
func (g *Gateway) newProxy(cfg Config) error {
	if cfg.Identity.Logger == nil {
		cfg.Identity.Logger = g.log
	}
	refreshing, stop := context.WithCancel(context.Background())
	authority, err := g.newAuthority(refreshing, &cfg)
	g.closers = append(g.closers, func() error { stop(); return nil })
	if err != nil {
		return err
	}
	tokens, err := identity.New(refreshing, cfg.Identity)
	if err != nil {
		return err
	}
	sessions, err := g.newSessions(cfg)
	if err != nil {
		return err
	}
	p := cfg.Proxy
	p.Shapes, p.Secret = cfg.Shapes, cfg.Secret
	p.Authorizer, p.Tokens, p.Sessions, p.Electric = g.grants, tokens, sessions, g.electric
	p.Ready, p.Logger, p.Registerer = g.readiness.known.Load, g.log, g.registry
	if authority != nil {
		p.ShapeTokens = authority
	}
	if g.proxy, err = proxy.New(p); err != nil {
		return err
	}
	g.closers = append(g.closers, func() error { g.proxy.Close(); return nil })
	return nil
}

// newSessions returns the session manager, or nil if there is to be none.
func (g *Gateway) newSessions(cfg Config) (proxy.Sessions, error) {
	if cfg.Redis.URL == "" {
		return nil, nil //nolint:nilnil // a proxy without sessions is a proxy
	}
	redis.SetLogger(redisLog{g.log})
	client, err := session.Dial(cfg.Redis)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	g.closers = append(g.closers, client.Close)
	var options []session.Option
	if cfg.SessionsPerSubject > 0 {
		options = append(options, session.WithPerSubject(cfg.SessionsPerSubject))
	}
	return session.NewManager(session.NewRedis(client, session.DefaultPrefix), cfg.SessionTTL, options...), nil
}

// Handler serves clients. It can be mounted in any server.
func (g *Gateway) Handler() http.Handler { return traced(g.proxy, "shapegate") }

// ForwardAuth serves servers in front of Electric, which ask whether a request that they got
// may be sent there: see integration/forwardauth. Clients must not reach it.
func (g *Gateway) ForwardAuth() http.Handler {
	return traced(g.proxy.ForwardAuth(), "shapegate.authorize")
}

// ExtAuthz returns a gRPC server that answers Envoy's filter ext_authz as ForwardAuth answers
// other servers. The caller serves and stops it. Clients must not reach it.
func (g *Gateway) ExtAuthz() *grpc.Server {
	return extauthz.NewServer(g.proxy, grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithPublicEndpoint())))
}

func traced(h http.Handler, name string) http.Handler {
	return otelhttp.NewHandler(h, name,
		// Clients are the public: a trace that they name is linked, and not continued.
		otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }))
}

// Ready returns nil if requests can be served now, and an error that says for
// operators why they cannot.
func (g *Gateway) Ready(ctx context.Context) error { return g.readiness.check(ctx) }

// Explainer explains what the gateway's clients see.
func (g *Gateway) Explainer() *Explainer { return g.explainer }

// cleanUpTime bounds how long the removal of the heartbeat may take at the end.
const cleanUpTime = 2 * time.Second

// Run keeps grants current and checks the shape definitions until ctx ends. At the
// end it has every waiting request answered, and removes its heartbeat from SpiceDB.
// It may be called once. It returns nil if ctx ended.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.proxy.Drain()
	stop := context.AfterFunc(ctx, g.proxy.Drain)
	defer stop()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		g.readiness.run(running)
		return nil
	})
	group.Go(func() error { return g.watch(running) })
	err := group.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (g *Gateway) watch(ctx context.Context) error {
	err := g.grants.Run(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	if err := g.spicedb.EndHeartbeats(ctx, g.grants.Process()); err != nil {
		g.log.Debug("the heartbeat was left in SpiceDB", "cause", err)
	}
	return err
}

// Close ends every connection and all work. Call it when Run has returned and
// every request is answered.
func (g *Gateway) Close() error {
	var errs []error
	for _, closer := range slices.Backward(g.closers) {
		errs = append(errs, closer())
	}
	g.closers = nil
	return errors.Join(errs...)
}
