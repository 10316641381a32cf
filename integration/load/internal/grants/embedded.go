package grants

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/load/internal/gate"
	"github.com/shapegate/shapegate/integration/load/internal/rows"
	"github.com/shapegate/shapegate/integration/load/internal/world"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy/electric"
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
	// The proxy asks what a permission rests on with the first read.
	if err := d.grants.PrepareSchema(ctx); err != nil {
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
	if t := &o.target; t.SpiceDBEndpoint != "" {
		d.what = "embedded, with SpiceDB at " + t.SpiceDBEndpoint
		return t.SpiceDB(), nil
	}
	d.what = "embedded, with SpiceDB in memory"
	engine, err := spicedbtest.New(ctx, spicedbtest.Config{Schema: world.Schema})
	if err != nil {
		return spicedb.Config{}, err
	}
	d.onClose(engine.Close)
	return spicedb.Config{Endpoint: "spicedb", Token: engine.Token(), Insecure: true, Dialer: engine.DialContext}, nil
}

func (d *deployment) embedElectric(ctx context.Context) (url string, err error) {
	server := electrictest.New(electrictest.Options{})
	d.onClose(func() error { server.Close(); return nil })
	d.rows = rows.StandIn{Server: server}
	if _, err := server.Exec(world.CreateTable); err != nil {
		return "", err
	}
	return d.serve(ctx, server)
}

func (d *deployment) embedProxy(ctx context.Context, cfg spicedb.Config, upstream string) error {
	g, err := gate.Run(ctx, gate.Config{SpiceDB: cfg, Electric: electric.Config{URL: upstream}, Secret: d.jwtSecret})
	if err != nil {
		return err
	}
	d.onClose(g.Close)
	front, err := d.serve(ctx, g.Handler)
	if err != nil {
		return err
	}
	d.onClose(func() error { g.Handler.Drain(); return nil })
	d.shape = front + world.ShapePath
	d.metrics, err = d.serve(ctx, g.Metrics)
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
