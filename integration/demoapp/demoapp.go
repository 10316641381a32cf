// Package demoapp puts the demo app together: the page, and the backend under /demo/ over
// the parts that shapegate has, too. cmd/shapegate-dev serves it beside a gateway in the
// same process, cmd/shapegate-demo beside the shapegates of docker-compose.yml.
//
// What the page shows is in package web, what the backend does in package backend.
package demoapp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/backend"
	"github.com/shapegate/shapegate/integration/web"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

// Config says what the app works with. All but Logger are needed.
type Config struct {
	Shapes   schema.File
	SpiceDB  *spicedb.Client
	Electric electric.Config
	RedisURL string // where shapegate keeps sessions

	Rows   backend.Rows
	People []demo.Person
	Secret []byte // of tokens, as shapegate has it

	Logger *slog.Logger // nil: slog.Default()
}

// App is the demo app. It is an http.Handler.
type App struct {
	backend *backend.Backend
	page    http.Handler
	closers []func() error
}

// New returns the app. What is neither the page's nor the backend's is passed on to next.
// It does not connect. The caller closes the app.
func New(ctx context.Context, cfg Config, next http.Handler) (_ *App, err error) {
	a := &App{page: web.Handler(next)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	tokens, err := identity.New(ctx, identity.Config{Secret: cfg.Secret, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	redis, err := session.Dial(session.RedisConfig{URL: cfg.RedisURL})
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, redis.Close)
	upstream, err := electric.NewClient(cfg.Electric)
	if err != nil {
		return nil, err
	}
	a.backend, err = backend.New(backend.Config{
		Explainer: gateway.NewExplainer(cfg.Shapes, cfg.SpiceDB, upstream),
		Rows:      cfg.Rows, Relationships: cfg.SpiceDB, People: cfg.People, Secret: cfg.Secret,
		Identify: backend.Identify(tokens, session.NewManager(session.NewRedis(redis, session.DefaultPrefix), 0)),
		Logger:   cfg.Logger,
	})
	return a, err
}

// Run repairs what requests leave behind, until ctx ends. See backend.Backend.Run.
func (a *App) Run(ctx context.Context) { a.backend.Run(ctx) }

// Close ends the connections. Call it when Run has returned.
func (a *App) Close() error {
	var errs []error
	for _, closer := range slices.Backward(a.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

// ServeHTTP implements http.Handler.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/demo/") {
		a.backend.ServeHTTP(w, r)
		return
	}
	a.page.ServeHTTP(w, r)
}
