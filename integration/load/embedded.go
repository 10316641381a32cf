package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// embed runs everything in this process, or everything but SpiceDB.
func (d *deployment) embed(ctx context.Context, o *options) error {
	d.jwtSecret = []byte("the secret of the load tool, 32 bytes")
	cfg, err := d.embedSpiceDB(ctx, o)
	if err != nil {
		return err
	}
	if err := d.connect(cfg); err != nil {
		return err
	}
	// The proxy asks what a permission rests on as soon as somebody reads.
	if err := d.grants.prepareSchema(ctx); err != nil {
		return err
	}
	upstream, err := d.embedElectric(ctx)
	if err != nil {
		return err
	}
	return d.embedProxy(ctx, cfg, upstream)
}

// embedSpiceDB says how to reach SpiceDB, which it starts if need be.
func (d *deployment) embedSpiceDB(ctx context.Context, o *options) (spicedb.Config, error) {
	if o.spicedbEndpoint != "" {
		d.what = "embedded, with SpiceDB at " + o.spicedbEndpoint
		return o.spicedb(), nil
	}
	d.what = "embedded, with SpiceDB in memory"
	engine, err := spicedbtest.New(ctx, spicedbtest.Config{Schema: zed})
	if err != nil {
		return spicedb.Config{}, err
	}
	d.onClose(engine.Close)
	return spicedb.Config{Endpoint: "spicedb", Token: engine.Token(), Insecure: true, Dialer: engine.DialContext}, nil
}

func (d *deployment) embedElectric(ctx context.Context) (url string, err error) {
	server := electrictest.New(electrictest.Options{})
	d.onClose(func() error { server.Close(); return nil })
	d.rows = standIn{server}
	if _, err := server.Exec(createTable); err != nil {
		return "", err
	}
	return d.serve(ctx, server)
}

func (d *deployment) embedProxy(ctx context.Context, cfg spicedb.Config, upstream string) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	logger := slog.New(slog.DiscardHandler)
	shapes, err := schema.Parse("shapes.yaml", []byte(shapesYAML))
	if err != nil {
		return err
	}
	verifier, err := identity.New(ctx, identity.Config{Secret: d.jwtSecret})
	if err != nil {
		return err
	}
	e, err := electric.NewClient(electric.Config{URL: upstream})
	if err != nil {
		return err
	}
	keeper, err := d.keep(ctx, cfg, registry, logger)
	if err != nil {
		return err
	}
	h, err := proxy.New(proxy.Config{
		Shapes: shapes, Authorizer: keeper, Tokens: verifier, Electric: e,
		Secret: d.jwtSecret, Logger: logger, Registerer: registry,
	})
	if err != nil {
		return err
	}
	front, err := d.serve(ctx, h)
	if err != nil {
		return err
	}
	d.onClose(func() error { h.Drain(); return nil })
	d.shape = front + "/v1/shapes/documents"
	d.metrics, err = d.serve(ctx, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return err
}

// serve serves at a port of this machine alone, until close.
func (d *deployment) serve(ctx context.Context, h http.Handler) (url string, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	d.onClose(func() error {
		err := server.Close()
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	})
	return "http://" + l.Addr().String(), nil
}
