package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/server"
	"github.com/shapegate/shapegate/integration/backend"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

// world is the parts that the proxy stands in front of. Those that are real are
// only named; those that are embedded run here.
type world struct {
	options
	shapes  schema.File
	secret  []byte // of tokens and handles
	keys    string // the gatekeeper's, a PEM file
	started []part

	admin      *spicedb.Client
	isEmbedded bool                 // SpiceDB runs here
	heartbeat  bool                 // its schema has the heartbeat's definition
	written    []spicedb.Line       // the relationships of the start
	table      *electrictest.Server // nil with a real Electric
	rows       backend.Rows         // of the demo's page; nil: there is no page

	listener, adminListener, controlListener net.Listener
	tlsConfig                                *tls.Config // of listener; nil: plain text
	certificate                              string      // its PEM file

	closers []func()
}

// part is one line of what was started.
type part struct{ name, what string }

func newWorld(ctx context.Context, o options) (_ *world, err error) {
	w := &world{options: o, secret: []byte(o.jwtSecret)}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if len(w.secret) == 0 {
		if w.secret, err = keptSecret(o.cache); err != nil {
			return nil, fmt.Errorf("the secret of tokens (SHAPEGATE_JWT_SECRET is another): %w", err)
		}
	}
	var removeKeys func()
	w.keys, removeKeys, err = keptKeys(o.cache)
	w.closers = append(w.closers, removeKeys)
	if err != nil {
		return nil, fmt.Errorf("the key of the gatekeeper: %w", err)
	}
	if w.shapes, err = loadShapes(o.files.shapes); err != nil {
		return nil, err
	}
	for _, start := range []func(context.Context) error{w.startSpiceDB, w.startElectric, w.checkFit, w.startRows, w.startRedis, w.openListeners} {
		if err := start(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func loadShapes(path string) (schema.File, error) {
	if path == "" {
		return schema.Parse("shapes.yaml", []byte(demo.Shapes))
	}
	return schema.Load(path)
}

func (w *world) startElectric(context.Context) error {
	if url := w.electric.URL; url != "" {
		w.started = append(w.started, part{"Electric", url + " (yours)"})
		return nil
	}
	sql, what := demo.SQL, "the demo's rows"
	if w.files.sql != "" {
		var err error
		if sql, err = readFile("--sql", w.files.sql); err != nil {
			return err
		}
		what = "the rows of " + w.files.sql
	}
	w.table = electrictest.New(electrictest.Options{})
	w.closers = append(w.closers, w.table.Close)
	if _, err := w.table.Exec(sql); err != nil {
		return fmt.Errorf("%s: %w", cmp.Or(w.files.sql, "the demo's tables"), err)
	}
	address, note := freeOr("127.0.0.1:3000")
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	w.serve(&http.Server{Handler: w.table, ReadHeaderTimeout: time.Minute}, l)
	w.electric.URL = "http://" + l.Addr().String()
	w.started = append(w.started, part{"Electric", w.electric.URL + ", a stand-in with " + what + note})
	return nil
}

// startRows opens the rows that the demo's page writes to. There is no page for a world of
// the user's own, nor for an Electric whose Postgres is not named.
func (w *world) startRows(ctx context.Context) error {
	switch {
	case w.files != (files{}):
	case w.table != nil: // whatever database is in the environment
		w.rows = backend.NewStandin(w.table)
	case w.databaseURL != "":
		rows, err := backend.OpenPostgres(ctx, w.databaseURL)
		if err != nil {
			return err
		}
		w.closers = append(w.closers, rows.Close)
		w.rows = rows
		w.started = append(w.started, part{"Postgres", "yours, for the demo's page"})
	}
	return nil
}

func (w *world) startRedis(context.Context) error {
	if w.redisURL != "" {
		w.started = append(w.started, part{"Redis", "yours"})
		return nil
	}
	store, err := miniredis.Run()
	if err != nil {
		return err
	}
	w.closers = append(w.closers, store.Close)
	w.redisURL = "redis://" + store.Addr()
	w.started = append(w.started, part{"Redis", w.redisURL + ", in memory"})
	return nil
}

func (w *world) openListeners(ctx context.Context) error {
	if w.tls {
		var err error
		if w.tlsConfig, w.certificate, err = keptCertificate(w.cache); err != nil {
			return err
		}
	}
	if err := w.openPublic(ctx); err != nil {
		return err
	}
	err := w.openDefault(&w.adminListener, "admin", "127.0.0.1:9090", func() string {
		return "http://" + w.adminListener.Addr().String() + " for /metrics, /healthz, /readyz and /explain"
	})
	if err != nil {
		return err
	}
	return w.openDefault(&w.controlListener, "controls", "127.0.0.1:9091", func() string {
		return "http://" + w.controlListener.Addr().String() + " for /relationships and /sql"
	})
}

// openPublic listens for clients.
func (w *world) openPublic(ctx context.Context) (err error) {
	if w.listen == "" {
		return w.openDefault(&w.listener, "shapegate", "127.0.0.1:8080", w.url)
	}
	if w.listener, err = server.Listen(ctx, "SHAPEGATE_LISTEN (--listen)", w.listen); err != nil {
		return err
	}
	w.closers = append(w.closers, func() { _ = w.listener.Close() })
	w.started = append(w.started, part{"shapegate", w.url()})
	return nil
}

// openDefault listens at an address, or at another port where that is taken, and notes what
// is there.
func (w *world) openDefault(to *net.Listener, name, address string, what func() string) error {
	address, note := freeOr(address)
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	*to = l
	w.closers = append(w.closers, func() { _ = l.Close() })
	if note != "" && name == "shapegate" {
		note = strings.Replace(note, ")", "; give another with --listen)", 1)
	}
	w.started = append(w.started, part{name, what() + note})
	return nil
}

func (w *world) url() string {
	_, port, _ := net.SplitHostPort(w.listener.Addr().String())
	if w.tls {
		return "https://localhost:" + port
	}
	return "http://localhost:" + port
}

// freeOr returns the address if it is free, and else one with a port that the system
// chooses, with a note of it: a second look must not fail because the first is open.
func freeOr(address string) (free, note string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		host, _, _ := net.SplitHostPort(address)
		return net.JoinHostPort(host, "0"), " (" + address + " is taken)"
	}
	_ = l.Close()
	return address, ""
}

// serve runs a server until close.
func (w *world) serve(s *http.Server, l net.Listener) <-chan error {
	failed := make(chan error, 1)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	w.closers = append(w.closers, func() { _ = s.Close() })
	return failed
}

func (w *world) serveControls() <-chan error {
	handler := controls{w.admin, w.table}.handler()
	return w.serve(&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}, w.controlListener)
}

func (w *world) config(logger *slog.Logger) gateway.Config {
	return gateway.Config{
		Shapes:   w.shapes,
		SpiceDB:  w.spicedb,
		Electric: w.electric,
		Identity: identity.Config{Secret: w.secret},
		Redis:    session.RedisConfig{URL: w.redisURL},
		Secret:   w.secret,

		Gatekeeper: gateway.Gatekeeper{KeyFile: w.keys},
		// Not every browser takes a Secure cookie from localhost without TLS.
		Proxy:  proxy.Config{CORSOrigins: w.origins, Cookie: proxy.Cookie{Insecure: !w.tls}},
		Logger: logger,
	}
}

// close ends what was started, in the opposite order.
func (w *world) close() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
	w.closers = nil
}
