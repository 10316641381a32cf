package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/backend"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

var secret = []byte("the secret of the browser's tests, of nothing else")

// longPoll is short, so that what is noticed at the end of a wait is noticed soon.
const longPoll = 2 * time.Second

// world is the demo, as shapegate-dev serves it, with its parts at a test's hand.
type world struct {
	tables  *electrictest.Server
	spice   *spicedbtest.Server
	config  gateway.Config
	backend *backend.Backend
	front   *httptest.Server
	running atomic.Pointer[running]
	ends    []func()
}

// running is one shapegate, from its start to its end.
type running struct {
	handler http.Handler
	end     func()
}

// newWorld starts everything. If it fails, what was started is ended again.
func newWorld(ctx context.Context, tokenLife time.Duration) (*world, error) {
	w := &world{}
	err := w.startParts(ctx)
	if err == nil {
		err = w.newBackend(tokenLife)
	}
	if err == nil {
		err = w.start(ctx)
	}
	if err != nil {
		w.end()
		return nil, err
	}
	w.front = httptest.NewServer(http.HandlerFunc(w.serve))
	w.ends = append(w.ends, func() {
		w.running.Load().end()
		w.front.CloseClientConnections()
		w.front.Close()
	})
	return w, nil
}

// end ends everything, the last first.
func (w *world) end() {
	for _, end := range slices.Backward(w.ends) {
		end()
	}
}

// startParts starts what shapegate stands in front of.
func (w *world) startParts(ctx context.Context) error {
	w.tables = electrictest.New(electrictest.Options{LongPollTimeout: longPoll})
	upstream := httptest.NewServer(w.tables)
	w.ends = append(w.ends, func() {
		w.tables.Close()
		upstream.CloseClientConnections()
		upstream.Close()
	})
	if _, err := w.tables.Exec(demo.SQL); err != nil {
		return err
	}
	var err error
	if w.spice, err = spicedbtest.New(ctx, spicedbtest.Config{Schema: demo.Schema, Relationships: demo.RelationshipLines()}); err != nil {
		return err
	}
	w.ends = append(w.ends, func() { _ = w.spice.Close() })
	redis, err := miniredis.Run()
	if err != nil {
		return err
	}
	w.ends = append(w.ends, redis.Close)
	shapes, err := schema.Parse("shapes.yaml", []byte(demo.Shapes))
	w.config = gateway.Config{
		Shapes:   shapes,
		SpiceDB:  spicedb.Config{Endpoint: "in-process", Token: w.spice.Token(), Insecure: true, Dialer: w.spice.DialContext},
		Electric: electric.Config{URL: upstream.URL},
		Identity: identity.Config{Secret: secret},
		Redis:    session.RedisConfig{URL: "redis://" + redis.Addr()},
		Secret:   secret, MaxStaleness: 2 * time.Second,
		Proxy:  proxy.Config{Cookie: proxy.Cookie{Insecure: true}, LongPollTimeout: longPoll},
		Logger: slog.New(slog.DiscardHandler),
	}
	return err
}

func (w *world) newBackend(tokenLife time.Duration) error {
	client, err := spicedb.Dial(w.config.SpiceDB)
	if err != nil {
		return err
	}
	w.ends = append(w.ends, func() { _ = client.Close() })
	tokens, err := identity.New(context.Background(), identity.Config{Secret: secret})
	if err != nil {
		return err
	}
	store, err := session.Dial(w.config.Redis)
	if err != nil {
		return err
	}
	w.ends = append(w.ends, func() { _ = store.Close() })
	rows, err := electric.NewClient(w.config.Electric)
	if err != nil {
		return err
	}
	w.backend, err = backend.New(backend.Config{
		Explainer: gateway.NewExplainer(w.config.Shapes, client, rows),
		Rows:      backend.NewStandin(w.tables), Relationships: client, People: demo.People(), Secret: secret, TokenLife: tokenLife,
		Identify: backend.Identify(tokens, session.NewManager(session.NewRedis(store, session.DefaultPrefix), 0)),
		Logger:   w.config.Logger,
	})
	return err
}

// start starts a shapegate, and returns when it is ready.
func (w *world) start(ctx context.Context) error {
	g, err := gateway.New(w.config) //nolint:contextcheck // it lasts longer than the start
	if err != nil {
		return err
	}
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = g.Run(lasting)
	}()
	for err = g.Ready(ctx); err != nil && ctx.Err() == nil; err = g.Ready(ctx) {
	}
	w.running.Store(&running{handler: g.Handler(), end: func() {
		cancel()
		<-ended
		_ = g.Close()
	}})
	return err
}

// serve is shapegate-dev's handler.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/demo/") {
		w.backend.ServeHTTP(rw, r)
		return
	}
	Handler(w.running.Load().handler).ServeHTTP(rw, r)
}

// restart puts another shapegate in the place of the first, and cuts every connection.
func (w *world) restart(ctx context.Context) error {
	before := w.running.Load()
	if err := w.start(ctx); err != nil {
		return err
	}
	w.front.CloseClientConnections()
	before.end()
	return nil
}

// control is what scripts call to do what no browser could.
func control(t *testing.T) *httptest.Server {
	t.Helper()
	worlds := map[string]*world{} // one at a time: scripts run one after the other
	mux := http.NewServeMux()
	answer := func(do func(*http.Request) (any, error)) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			v, err := do(r)
			if err != nil {
				http.Error(rw, err.Error(), http.StatusInternalServerError)
				return
			}
			_ = json.NewEncoder(rw).Encode(v)
		}
	}
	mux.HandleFunc("POST /worlds", answer(func(r *http.Request) (any, error) {
		var o struct {
			TokenLife int `json:"tokenLife"` // ms
		}
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			return nil, err
		}
		w, err := newWorld(r.Context(), time.Duration(o.TokenLife)*time.Millisecond)
		if err != nil {
			return nil, err
		}
		worlds[w.front.URL] = w
		return map[string]string{"url": w.front.URL}, nil
	}))
	mux.HandleFunc("POST /do", answer(func(r *http.Request) (any, error) {
		var in struct {
			World, What string
			Args        []string
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		w := worlds[in.World]
		if w == nil {
			return nil, errors.New("no such world")
		}
		switch in.What {
		case "restart":
			return nil, w.restart(r.Context())
		case "end":
			delete(worlds, in.World)
			w.end()
			return nil, nil
		case "pause SpiceDB":
			w.spice.Pause()
			return nil, nil
		case "resume SpiceDB":
			return nil, w.spice.Resume()
		case "touch":
			return nil, w.spice.Touch(r.Context(), in.Args...)
		case "delete":
			return nil, w.spice.Delete(r.Context(), in.Args...)
		case "sql":
			return w.tables.Exec(strings.Join(in.Args, "\n"))
		}
		return nil, errors.New("nothing is called " + in.What)
	}))
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		for _, w := range worlds { // of scripts that were cut off
			w.end()
		}
	})
	return server
}
