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
	"os"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/backend"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

// world is the parts that the proxy stands in front of. Those that are real are
// only named; those that are embedded run here.
type world struct {
	options
	shapes  []schema.Shape
	secret  []byte // of tokens and handles
	started []part

	admin      *spicedb.Client
	isEmbedded bool                 // SpiceDB runs here
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
	if w.shapes, err = loadShapes(o.files.shapes); err != nil {
		return nil, err
	}
	for _, start := range []func(context.Context) error{w.startSpiceDB, w.startElectric, w.startRows, w.startRedis, w.openListeners} {
		if err := start(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func loadShapes(path string) ([]schema.Shape, error) {
	if path == "" {
		return schema.Parse("shapes.yaml", []byte(demo.Shapes))
	}
	return schema.Load(path)
}

// zed returns the schema and relationships that SpiceDB is to hold.
func (f files) zed() (text string, relationships []string, err error) {
	text, relationships = demo.Schema, demo.RelationshipLines()
	if f.schema != "" {
		// The demo's relationships speak of the demo's definitions.
		if text, err = readFile("--schema", f.schema); err != nil {
			return "", nil, err
		}
		relationships = nil
	}
	if f.relationships != "" {
		lines, err := readFile("--relationships", f.relationships)
		if err != nil {
			return "", nil, err
		}
		relationships = demo.Lines(lines)
	}
	return text, relationships, nil
}

func readFile(flag, path string) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return string(data), nil
}

// devToken is the preshared key of the embedded SpiceDB. It guards nothing: the
// engine listens on this machine only, and holds the demo.
const devToken = "shapegate-dev"

func (w *world) startSpiceDB(ctx context.Context) error {
	text, relationships, err := w.files.zed()
	if err != nil {
		return err
	}
	if w.spicedb.Endpoint != "" {
		return w.useSpiceDB(ctx, text, relationships)
	}
	server, err := spicedbtest.New(ctx, spicedbtest.Config{
		Schema: text, Relationships: relationships,
		Token: devToken, ListenAddr: freeOr("127.0.0.1:50051"),
	})
	if err != nil {
		return fmt.Errorf("the schema and its relationships: %s", spicedb.Explain(err))
	}
	w.closers = append(w.closers, func() { _ = server.Close() })
	w.isEmbedded = true
	w.spicedb = spicedb.Config{Endpoint: server.Addr(), Token: devToken, Insecure: true}
	w.started = append(w.started, part{"SpiceDB", fmt.Sprintf("%s, in memory, preshared key %q", server.Addr(), devToken)})
	return w.dialSpiceDB()
}

func (w *world) dialSpiceDB() (err error) {
	if w.admin, err = spicedb.Dial(w.spicedb); err == nil {
		w.closers = append(w.closers, func() { _ = w.admin.Close() })
	}
	return err
}

// useSpiceDB takes a SpiceDB that is there. An empty one gets the schema and the
// relationships; one with a schema is in use, and is left as it is.
func (w *world) useSpiceDB(ctx context.Context, text string, relationships []string) error {
	if err := w.dialSpiceDB(); err != nil {
		return fmt.Errorf("SPICEDB_ENDPOINT: %w", err)
	}
	present, err := w.admin.ReadSchema(ctx)
	if err != nil {
		return errors.New(spicedb.Explain(err))
	}
	endpoint := w.spicedb.Endpoint
	if present != "" && (w.files.schema != "" || w.files.relationships != "") {
		return errors.New("--schema and --relationships are for an empty SpiceDB, and that of SPICEDB_ENDPOINT has a schema; leave them out, or unset SPICEDB_ENDPOINT")
	}
	if present != "" {
		w.started = append(w.started, part{"SpiceDB", endpoint + " (yours)"})
		return nil
	}
	if _, err := w.admin.WriteSchema(ctx, text); err != nil {
		return fmt.Errorf("the schema: %s", spicedb.Explain(err))
	}
	w.started = append(w.started, part{"SpiceDB", endpoint + " (yours; it was empty, and now has a schema)"})
	if len(relationships) == 0 {
		return nil
	}
	_, err = write(ctx, w.admin, spicedb.Touch, relationships)
	return err
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
		return fmt.Errorf("the tables: %w", err)
	}
	l, err := net.Listen("tcp", freeOr("127.0.0.1:3000"))
	if err != nil {
		return err
	}
	w.serve(&http.Server{Handler: w.table, ReadHeaderTimeout: time.Minute}, l)
	w.electric.URL = "http://" + l.Addr().String()
	w.started = append(w.started, part{"Electric", w.electric.URL + ", a stand-in with " + what})
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

func (w *world) openListeners(context.Context) error {
	if w.tls {
		var err error
		if w.tlsConfig, w.certificate, err = keptCertificate(w.cache); err != nil {
			return err
		}
	}
	for _, l := range []struct {
		to      *net.Listener
		address string
	}{
		{&w.listener, cmp.Or(w.listen, freeOr("127.0.0.1:8080"))},
		{&w.adminListener, freeOr("127.0.0.1:9090")},
		{&w.controlListener, freeOr("127.0.0.1:9091")},
	} {
		var err error
		if *l.to, err = net.Listen("tcp", l.address); err != nil {
			return err
		}
		w.closers = append(w.closers, func() { _ = (*l.to).Close() })
	}
	w.started = append(w.started,
		part{"shapegate", w.url()},
		part{"metrics", "http://" + w.adminListener.Addr().String() + "/metrics"})
	return nil
}

func (w *world) url() string {
	_, port, _ := net.SplitHostPort(w.listener.Addr().String())
	if w.tls {
		return "https://localhost:" + port
	}
	return "http://localhost:" + port
}

// freeOr returns the address if it is free, and one with a port that the system
// chooses if it is not: a second look must not fail because the first is open.
func freeOr(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		host, _, _ := net.SplitHostPort(address)
		return net.JoinHostPort(host, "0")
	}
	_ = l.Close()
	return address
}

// serve runs a server until close.
func (w *world) serve(server *http.Server, l net.Listener) <-chan error {
	failed := make(chan error, 1)
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	w.closers = append(w.closers, func() { _ = server.Close() })
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
