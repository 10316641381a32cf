package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/service"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

// world is the parts that the proxy stands in front of. Those that are real are
// only named; those that are embedded run here.
type world struct {
	shapes    []schema.Shape
	jwtSecret []byte
	started   []part

	spicedb  spicedb.Config
	electric electric.Config
	redisURL string

	admin *spicedb.Client
	table *electrictest.Server // nil with a real Electric

	listener, adminListener, controlListener net.Listener

	closers []func()
}

// part is one line of what was started.
type part struct{ name, what string }

func newWorld(ctx context.Context, env func(string) string) (_ *world, err error) {
	w := &world{jwtSecret: []byte(env("SHAPEGATE_JWT_SECRET"))}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if len(w.jwtSecret) == 0 {
		w.jwtSecret = []byte(rand.Text() + rand.Text())
	}
	if w.shapes, err = loadShapes(env("SHAPEGATE_SHAPES")); err != nil {
		return nil, err
	}
	for _, start := range []func(context.Context, func(string) string) error{
		w.startSpiceDB, w.startElectric, w.startRedis, w.listen,
	} {
		if err := start(ctx, env); err != nil {
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

// devToken is the preshared key of the embedded SpiceDB. It guards nothing: the
// engine listens on this machine only, and holds the demo.
const devToken = "shapegate-dev"

func (w *world) startSpiceDB(ctx context.Context, env func(string) string) error {
	if endpoint := env("SPICEDB_ENDPOINT"); endpoint != "" {
		insecure, err := strconv.ParseBool(cmp.Or(env("SPICEDB_INSECURE"), "false"))
		if err != nil {
			return errors.New("SPICEDB_INSECURE is neither true nor false")
		}
		w.spicedb = spicedb.Config{Endpoint: endpoint, Token: env("SPICEDB_TOKEN"), Insecure: insecure, CAFile: env("SPICEDB_CA_FILE")}
		return w.useSpiceDB(ctx, endpoint)
	}

	server, err := spicedbtest.New(ctx, spicedbtest.Config{
		Schema: demo.Schema, Relationships: demo.RelationshipLines(),
		Token: devToken, ListenAddr: freeOr("127.0.0.1:50051"),
	})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, func() { _ = server.Close() })
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

// useSpiceDB takes a SpiceDB that is there. An empty one gets the demo; one with
// a schema is somebody's, and is left as it is.
func (w *world) useSpiceDB(ctx context.Context, endpoint string) error {
	if err := w.dialSpiceDB(); err != nil {
		return err
	}
	text, err := w.admin.ReadSchema(ctx)
	if err != nil {
		return fmt.Errorf("SPICEDB_ENDPOINT: %w", err)
	}
	if text != "" {
		w.started = append(w.started, part{"SpiceDB", endpoint + " (yours)"})
		return nil
	}
	if _, err := w.admin.WriteSchema(ctx, demo.Schema); err != nil {
		return err
	}
	w.started = append(w.started, part{"SpiceDB", endpoint + " (yours; it was empty, and now holds the demo)"})
	_, err = w.write(ctx, spicedb.Touch, demo.RelationshipLines())
	return err
}

func (w *world) startElectric(_ context.Context, env func(string) string) error {
	if url := env("ELECTRIC_URL"); url != "" {
		w.electric = electric.Config{URL: url, Secret: env("ELECTRIC_SECRET")}
		w.started = append(w.started, part{"Electric", url + " (yours)"})
		return nil
	}
	w.table = electrictest.New(electrictest.Options{})
	w.closers = append(w.closers, w.table.Close)
	if _, err := w.table.Exec(demo.SQL); err != nil {
		return fmt.Errorf("the demo's tables: %w", err)
	}
	l, err := net.Listen("tcp", freeOr("127.0.0.1:3000"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: w.table, ReadHeaderTimeout: time.Minute}
	w.serve(server, l)
	url := "http://" + l.Addr().String()
	w.electric = electric.Config{URL: url}
	w.started = append(w.started, part{"Electric", url + ", a stand-in with the demo's rows"})
	return nil
}

func (w *world) startRedis(_ context.Context, env func(string) string) error {
	if w.redisURL = env("REDIS_URL"); w.redisURL != "" {
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

func (w *world) listen(_ context.Context, env func(string) string) error {
	public := env("SHAPEGATE_LISTEN")
	if public == "" {
		public = freeOr("127.0.0.1:8080")
	}
	for _, l := range []struct {
		to      *net.Listener
		address string
	}{
		{&w.listener, public},
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

func (w *world) config(logger *slog.Logger) service.Config {
	return service.Config{
		Shapes:        w.shapes,
		SpiceDB:       w.spicedb,
		Electric:      w.electric,
		Identity:      identity.Config{Secret: w.jwtSecret},
		RedisURL:      w.redisURL,
		Secret:        w.jwtSecret,
		CORSOrigins:   []string{"*"},
		Listener:      w.listener,
		AdminListener: w.adminListener,
		Logger:        logger,
	}
}

// close ends what was started, in the opposite order.
func (w *world) close() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
	w.closers = nil
}
