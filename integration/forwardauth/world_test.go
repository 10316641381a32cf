package forwardauth_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/forwardauth"
	"github.com/shapegate/shapegate/integration/prerequisite"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

const (
	electricSecret = "the-secret-of-electric"
	appOrigin      = "https://app.example"

	// deadline bounds what a test waits for. It only ends tests that have failed.
	deadline = 30 * time.Second
)

var jwtSecret = []byte("the secret of the tests of forward auth")

// world is a shapegate and an Electric with the demo's data, for one server in front.
type world struct {
	t      *testing.T
	spice  *spicedbtest.Server
	tables *electrictest.Server
	places forwardauth.Places

	gateway     *gateway.Gateway
	forwardAuth *httptest.Server

	mu    sync.Mutex
	asked []asked
}

// asked is a request that reached Electric from the server in front.
type asked struct {
	method string
	query  url.Values
	header http.Header
	body   string
}

// newWorld starts a world. Its shape project_documents is as it has to be for Electric to
// answer it.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.tables = electrictest.New(electrictest.Options{Secret: electricSecret, LongPollTimeout: time.Second})
	t.Cleanup(w.tables.Close)
	_, err := w.tables.Exec(demo.SQL)
	w.check(err)
	w.spice = spicedbtest.Start(t, spicedbtest.Config{Schema: demo.Schema, Relationships: relationships()})
	w.gateway = w.startShapegate()
	w.forwardAuth = w.serve(w.gateway.ForwardAuth())
	w.places = forwardauth.Places{
		ForwardAuth: host(w.forwardAuth), Shapegate: host(w.serve(w.gateway.Handler())),
		Electric: host(w.serve(http.HandlerFunc(w.serveElectric))), ElectricSecret: electricSecret,
	}
	return w
}

func relationships() (all []string) {
	for line := range strings.Lines(demo.Relationships) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			all = append(all, line)
		}
	}
	return all
}

func (w *world) startShapegate() *gateway.Gateway {
	w.t.Helper()
	const of = "params: {project: {}}"
	if strings.Count(demo.Shapes, of) != 1 {
		w.t.Fatal("the demo has another shape with a param")
	}
	shapes, err := schema.Parse("shapes.yaml", []byte(strings.Replace(demo.Shapes, of, of+"\n    first_read: stored", 1)))
	w.check(err)
	g, err := gateway.New(gateway.Config{
		Shapes:   shapes,
		SpiceDB:  spicedb.Config{Endpoint: "spicedb", Token: w.spice.Token(), Insecure: true, Dialer: w.spice.DialContext},
		Electric: electric.Config{URL: w.serve(w.tables).URL, Secret: electricSecret},
		Identity: identity.Config{Secret: jwtSecret},
		Secret:   jwtSecret,
		Proxy:    proxy.Config{CORSOrigins: []string{appOrigin}},
		Logger:   slog.New(slog.DiscardHandler),
	})
	w.check(err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		w.check(errors.Join(<-done, g.Close()))
	})
	w.await(func() bool { return g.Ready(w.t.Context()) == nil })
	return g
}

// serveElectric serves Electric to the server in front, and notes what it is asked.
func (w *world) serveElectric(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	w.mu.Lock()
	w.asked = append(w.asked, asked{r.Method, r.URL.Query(), r.Header.Clone(), string(body)})
	w.mu.Unlock()
	w.tables.ServeHTTP(rw, r)
}

// electricWasAsked returns what Electric was asked since the last call.
func (w *world) electricWasAsked() []asked {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.asked
	w.asked = nil
	return all
}

func (w *world) serve(h http.Handler) *httptest.Server {
	s := httptest.NewServer(h)
	w.t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func host(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }

// front starts one of the servers in front, and returns its URL.
func (w *world) front(name string) string {
	w.t.Helper()
	switch name {
	case "caddy":
		return w.running(forwardauth.StartCaddy(w.t.Context(), w.t.TempDir(), "Caddyfile", w.places))
	case "nginx":
		return w.running(forwardauth.StartNginx(w.t.Context(), w.t.TempDir(), "nginx.conf.template", w.places))
	default:
		hop := w.running(forwardauth.StartCaddy(w.t.Context(), w.t.TempDir(), "traefik-hop.Caddyfile", w.places))
		return w.serve(w.traefik(hop)).URL
	}
}

func (w *world) running(f *forwardauth.Front, err error) string {
	w.t.Helper()
	if errors.Is(err, exec.ErrNotFound) {
		prerequisite.Missing(w.t, err.Error())
	}
	w.check(err)
	w.t.Cleanup(func() {
		if err := f.Stop(); err != nil {
			w.t.Error(err)
		}
		if w.t.Failed() {
			w.t.Log(f.Log())
		}
	})
	return f.URL
}

// await looks again and again until something is so.
func (w *world) await(is func() bool) {
	w.t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(deadline); !is(); <-look.C {
		if time.Now().After(end) {
			w.t.Fatal("it did not become so in time")
		}
	}
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// bearer is the header with a person's token.
func (w *world) bearer(person string) string {
	w.t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": person, "exp": time.Now().Add(time.Hour).Unix()}).SignedString(jwtSecret)
	w.check(err)
	return "Bearer " + token
}
