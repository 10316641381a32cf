package serve

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/shapegate/shapegate/integration/load/internal/gate"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// Proxy serves a shapegate.
func Proxy(ctx context.Context, in io.Reader, out io.Writer, cfg gate.Config) (err error) {
	p := &process{}
	defer func() { err = errors.Join(err, p.close()) }()
	g, err := gate.Run(ctx, cfg)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, g.Close)
	front, err := p.serve(ctx, g.Handler)
	if err != nil {
		return err
	}
	p.hello.URL = front + world.ShapePath
	control := http.NewServeMux()
	control.Handle("GET /metrics", g.Metrics)
	control.HandleFunc("GET /usage", serveUsage)
	if p.hello.Control, err = p.serve(ctx, control); err != nil {
		return err
	}
	p.hello.Metrics = p.hello.Control + "/metrics"
	err = p.run(ctx, in, out)
	g.Handler.Drain()
	return err
}
