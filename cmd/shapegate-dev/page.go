package main

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/shapegate/shapegate/integration/demoapp"
	"github.com/shapegate/shapegate/proxy/gateway"
)

// handler serves clients: the gateway and, where the world is the demo, its page and the
// page's backend at the same origin.
func (w *world) handler(ctx context.Context, g *gateway.Gateway, logger *slog.Logger) (http.Handler, error) {
	if w.rows == nil {
		return g.Handler(), nil
	}
	app, err := demoapp.New(ctx, demoapp.Config{
		Shapes: w.shapes, SpiceDB: w.admin, Electric: w.electric, RedisURL: w.redisURL,
		Rows: w.rows, People: w.everybody(), Secret: w.secret, Logger: logger,
	}, g.Handler())
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, func() { _ = app.Close() })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		app.Run(ctx)
	}()
	w.closers = append(w.closers, func() { <-ended }) // ctx has ended by then
	return app, nil
}
