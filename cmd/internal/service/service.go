package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/live"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/schema"
)

// Config says what to run, and with which parts.
type Config struct {
	Shapes   []schema.Shape
	SpiceDB  spicedb.Config
	Electric electric.Config
	Identity identity.Config

	RedisURL   string // empty: no sessions
	SessionTTL time.Duration

	// MaxStaleness bounds how old grants may be; 0: live.Config's default.
	MaxStaleness time.Duration

	// Feeds, Waiting and WaitingPerSubject are proxy.Config's.
	Feeds                      feed.Config
	Waiting, WaitingPerSubject int

	// Secret keys what clients hold; see proxy.Config.
	Secret      []byte
	CORSOrigins []string

	Listener      net.Listener // for clients
	AdminListener net.Listener // for operators; nil: none
	TLSCertFile   string       // with TLSKeyFile: TLS, and HTTP/2 with it
	TLSKeyFile    string

	Logger *slog.Logger // nil: slog.Default()
}

// Service is a shapegate, ready to run.
type Service struct {
	cfg       Config
	log       *slog.Logger
	registry  *prometheus.Registry
	spicedb   *spicedb.Client
	electric  *electric.Client
	keeper    *live.Keeper
	handler   *proxy.Handler
	readiness *readiness
	closers   []func() error
}

// New assembles a service. It reaches out to nobody: that a part is away delays
// readiness. Errors mean that the configuration cannot work. What needs an end
// of its own ends with ctx, or with Run.
func New(ctx context.Context, cfg Config) (_ *Service, err error) {
	s := &Service{cfg: cfg, log: cfg.Logger, registry: prometheus.NewRegistry()}
	if s.log == nil {
		s.log = slog.Default()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := s.connect(); err != nil {
		return nil, err
	}
	verifier, err := identity.New(ctx, cfg.Identity)
	if err != nil {
		return nil, err
	}
	sessions, err := s.sessions()
	if err != nil {
		return nil, err
	}
	s.readiness = newReadiness(s.log, cfg.Shapes, s.spicedb, s.electric)
	s.keeper, err = live.New(live.Config{
		Engine:       s.spicedb,
		Key:          authz.NewFingerprintKey(cfg.Secret),
		MaxStaleness: cfg.MaxStaleness,
		Logger:       s.log,
		Registerer:   s.registry,
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.keeper.Close)
	s.handler, err = proxy.New(proxy.Config{
		Shapes:      cfg.Shapes,
		Authorizer:  s.keeper,
		Tokens:      verifier,
		Electric:    s.electric,
		Secret:      cfg.Secret,
		Sessions:    sessions,
		CORSOrigins: cfg.CORSOrigins,
		Feeds:       cfg.Feeds,
		Waiting:     cfg.Waiting, WaitingPerSubject: cfg.WaitingPerSubject,
		Ready:      s.readiness.validated.Load,
		Logger:     s.log,
		Registerer: s.registry,
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() error { s.handler.Close(); return nil })
	return s, nil
}

// connect makes the clients of SpiceDB and Electric.
func (s *Service) connect() (err error) {
	cfg := s.cfg.SpiceDB
	cfg.Registerer, cfg.Logger = s.registry, s.log
	if s.spicedb, err = spicedb.Dial(cfg); err != nil {
		return err
	}
	s.closers = append(s.closers, s.spicedb.Close)
	s.electric, err = electric.NewClient(s.cfg.Electric)
	return err
}

// sessions returns the session manager, or nil if there is to be none.
func (s *Service) sessions() (proxy.Sessions, error) {
	if s.cfg.RedisURL == "" {
		return nil, nil //nolint:nilnil // a proxy without sessions is a proxy
	}
	redis.SetLogger(redisLog{s.log})
	client, err := session.Dial(session.RedisConfig{URL: s.cfg.RedisURL})
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	s.closers = append(s.closers, client.Close)
	return session.NewManager(session.NewRedis(client, session.DefaultPrefix), s.cfg.SessionTTL), nil
}

// Ready reports whether requests can be served, and if not, why.
func (s *Service) Ready(ctx context.Context) error { return s.readiness.check(ctx) }

const (
	// shutdownTime bounds how long requests that are under way may take to end.
	shutdownTime = 25 * time.Second
	headerTime   = 10 * time.Second
	idleTime     = 2 * time.Minute
	maxHeader    = 256 << 10 // a GET subset may have a long where
)

// Run serves until ctx ends, then answers what is being held, lets what is under
// way finish, and returns. It may be called once.
func (s *Service) Run(ctx context.Context) error {
	defer func() {
		if err := s.close(); err != nil {
			s.log.Warn("closing", "cause", err)
		}
	}()
	public := newServer(otelhttp.NewHandler(s.handler, "shapegate", otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true })))
	servers := []*http.Server{public}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.serve(public) })
	if l := s.cfg.AdminListener; l != nil {
		admin := newServer(s.adminRoutes())
		servers = append(servers, admin)
		group.Go(func() error { return admin.Serve(l) })
	}
	group.Go(func() error {
		s.readiness.run(groupCtx)
		return nil
	})
	group.Go(func() error { return s.watch(groupCtx) })
	group.Go(func() error {
		<-groupCtx.Done()
		return s.shutdown(context.WithoutCancel(ctx), servers)
	})
	err := group.Wait()
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// watch keeps grants current until ctx ends, and then takes back what it wrote to
// be able to tell that it does.
func (s *Service) watch(ctx context.Context) error {
	err := s.keeper.Run(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
	defer cancel()
	if err := s.spicedb.EndBeats(ctx, s.keeper.Process()); err != nil {
		s.log.Debug("the canary was left behind", "cause", err)
	}
	return err
}

func (s *Service) serve(server *http.Server) error {
	if s.cfg.TLSCertFile != "" {
		return server.ServeTLS(s.cfg.Listener, s.cfg.TLSCertFile, s.cfg.TLSKeyFile)
	}
	return server.Serve(s.cfg.Listener)
}

func newServer(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // behind a proxy that ends TLS
	return &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
	}
}

func (s *Service) shutdown(ctx context.Context, servers []*http.Server) error {
	s.handler.Drain()
	ctx, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	var errs []error
	for _, server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, err, server.Close())
		}
	}
	return errors.Join(errs...)
}

func (s *Service) close() error {
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	s.closers = nil
	return errors.Join(errs...)
}
