// Package gate assembles the shapegate that the load tool measures where none is
// named: the same parts as in the production binary, with one secret for
// everything.
package gate

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/grantcachetest"
	"github.com/shapegate/shapegate/integration/load/internal/world"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// Config names what it stands in front of.
type Config struct {
	SpiceDB  spicedb.Config
	Electric electric.Config
	Secret   []byte
}

// Gate is a shapegate that runs. The caller serves Handler and Metrics.
type Gate struct {
	Handler *proxy.Handler
	Metrics http.Handler

	closers []func() error
}

// closeTime bounds how long the removal of the heartbeat may take.
const closeTime = 5 * time.Second

// Run runs a shapegate until Close. SpiceDB must have its schema.
func Run(ctx context.Context, cfg Config) (g *Gate, err error) {
	g = &Gate{}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	g.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	logger := slog.New(slog.DiscardHandler)
	shapes, err := schema.Parse("shapes.yaml", []byte(world.Shapes))
	if err != nil {
		return g, err
	}
	verifier, err := identity.New(ctx, identity.Config{Secret: cfg.Secret})
	if err != nil {
		return g, err
	}
	upstream, err := electric.NewClient(cfg.Electric)
	if err != nil {
		return g, err
	}
	cache, err := g.keep(ctx, cfg, registry, logger)
	if err != nil {
		return g, err
	}
	g.Handler, err = proxy.New(proxy.Config{
		// A limit would be measured in place of what is behind it.
		Limits: proxy.Limits{Rate: 1e6, Burst: 1e6, Concurrent: 1e6}, WaitingPerSubject: 1e6,
		Shapes: shapes, Authorizer: cache, Tokens: verifier, Electric: upstream,
		Secret: cfg.Secret, Logger: logger, Registerer: registry,
	})
	if err == nil {
		g.closers = append(g.closers, func() error { g.Handler.Close(); return nil })
	}
	return g, err
}

// keep runs what decides, until Close.
func (g *Gate) keep(ctx context.Context, cfg Config, metrics prometheus.Registerer, logger *slog.Logger) (*grantcachetest.Cache, error) {
	cfg.SpiceDB.Registerer, cfg.SpiceDB.Logger = metrics, logger
	client, err := spicedb.Dial(cfg.SpiceDB)
	if err != nil {
		return nil, err
	}
	g.closers = append(g.closers, client.Close)
	cache, err := grantcachetest.Run(grantcache.Config{
		Engine: client, Key: authz.NewFingerprintKey(cfg.Secret), Logger: logger, Registerer: metrics,
	})
	if err != nil {
		return nil, err
	}
	g.closers = append(g.closers, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		return errors.Join(cache.End(), client.EndHeartbeats(ctx, cache.Process()))
	})
	return cache, nil
}

// Close ends it. What serves the handler ends between Drain and this.
func (g *Gate) Close() error {
	var errs []error
	for _, f := range slices.Backward(g.closers) {
		errs = append(errs, f())
	}
	g.closers = nil
	return errors.Join(errs...)
}
