package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/integration/backend"
	"github.com/shapegate/shapegate/integration/web"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
)

// handler serves clients: the gateway and, where the world is the demo, its page and the
// page's backend at the same origin.
func (w *world) handler(ctx context.Context, g *gateway.Gateway, logger *slog.Logger) (http.Handler, error) {
	if w.rows == nil {
		return g.Handler(), nil
	}
	tokens, err := identity.New(ctx, identity.Config{Secret: w.secret, Logger: logger})
	if err != nil {
		return nil, err
	}
	redis, err := session.Dial(session.RedisConfig{URL: w.redisURL})
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, func() { _ = redis.Close() })
	sessions := session.NewManager(session.NewRedis(redis, session.DefaultPrefix), 0)
	rows, err := electric.NewClient(w.electric)
	if err != nil {
		return nil, err
	}
	b, err := backend.New(backend.Config{
		Explainer: gateway.NewExplainer(w.shapes, w.admin, rows),
		Rows:      w.rows, Relationships: w.admin, People: w.everybody(), Secret: w.secret,
		Identify: backend.Identify(tokens, sessions), Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.Run(ctx)
	}()
	w.closers = append(w.closers, func() { <-ended }) // ctx has ended by then
	return beside(g.Handler(), b), nil
}

// beside serves the page and its backend beside the gateway.
func beside(gateway, backend http.Handler) http.Handler {
	page := web.Handler(gateway)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/demo/") {
			backend.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}
