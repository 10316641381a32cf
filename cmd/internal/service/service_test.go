package service_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/service"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

const (
	zed = `definition user {}
definition document {
	relation viewer: user
	permission view = viewer
}`
	shapesYAML = `
shapes:
  documents:
    table: documents
    columns: [id]
    authorize:
      filter:
        - {resource: document, permission: view, column: id}
`
)

var secret = []byte("a secret for tests, at least 32 bytes long")

// running is a service that runs, and its parts.
type running struct {
	public, admin string
	engine        *spicedbtest.Server
	tables        *electrictest.Server
	stop          context.CancelFunc
	done          <-chan error
}

// start runs a service whose SpiceDB is away, if asked for, or has no schema yet.
func start(t *testing.T, spicedbAway bool, zed string) *running {
	t.Helper()
	r := &running{tables: electrictest.New(electrictest.Options{})}
	t.Cleanup(r.tables.Close)
	if _, err := r.tables.Exec("CREATE TABLE documents (id text PRIMARY KEY); INSERT INTO documents VALUES ('d1'), ('d2')"); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(r.tables)
	t.Cleanup(upstream.Close)
	r.engine = spicedbtest.Start(t, spicedbtest.Config{Schema: zed, ListenAddr: "127.0.0.1:0"})
	if spicedbAway {
		r.engine.Pause()
	}
	shapes, err := schema.Parse("shapes.yaml", []byte(shapesYAML))
	if err != nil {
		t.Fatal(err)
	}
	public, admin := listen(t), listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := service.New(ctx, service.Config{
		Shapes:   shapes,
		SpiceDB:  spicedb.Config{Endpoint: r.engine.Addr(), Token: r.engine.Token(), Insecure: true},
		Electric: electric.Config{URL: upstream.URL},
		Identity: identity.Config{Secret: secret},
		Secret:   secret,
		Listener: public, AdminListener: admin,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(cancel)
	r.public, r.admin, r.stop, r.done = "http://"+public.Addr().String(), "http://"+admin.Addr().String(), cancel, done
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// get makes a request as alice.
func (r *running) get(t *testing.T, url string) (status int, header http.Header, body string) {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// untilReady asks again and again, as an orchestrator does.
func (r *running) untilReady(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		if status, _, _ := r.get(t, r.admin+"/readyz"); status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("never ready")
		}
	}
}

func TestSpiceDBBeingAwayAtTheStartDelaysReadiness(t *testing.T) {
	r := start(t, true, zed)
	if status, _, _ := r.get(t, r.admin+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", status)
	}
	if status, _, _ := r.get(t, r.admin+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d: the process is well", status)
	}
	status, header, body := r.get(t, r.public+"/v1/shapes/documents?offset=-1")
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("a shape: %d %s", status, body)
	}
	if err := r.engine.Resume(); err != nil {
		t.Fatal(err)
	}
	r.untilReady(t)
	if status, _, body := r.get(t, r.public+"/v1/shapes/documents?offset=-1"); status != http.StatusOK {
		t.Errorf("a shape: %d %s", status, body)
	}
}

func TestShapesThatTheSchemaDoesNotKnowAreNotServed(t *testing.T) {
	r := start(t, false, "definition user {}")
	if status, _, _ := r.get(t, r.admin+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", status)
	}
	if err := r.engine.WriteSchema(t.Context(), zed); err != nil {
		t.Fatal(err)
	}
	r.untilReady(t)
}

func TestTheEndAnswersWhoIsWaiting(t *testing.T) {
	r := start(t, false, zed)
	if err := r.engine.Touch(t.Context(), "document:d1#viewer@user:alice"); err != nil {
		t.Fatal(err)
	}
	r.untilReady(t)
	_, header, body := r.get(t, r.public+"/v1/shapes/documents?offset=-1")
	if !strings.Contains(body, `"d1"`) || strings.Contains(body, `"d2"`) {
		t.Fatalf("alice sees %s", body)
	}
	live := fmt.Sprintf("%s/v1/shapes/documents?live=true&offset=%s&handle=%s", r.public, header.Get("Electric-Offset"), url.QueryEscape(header.Get("Electric-Handle")))
	type answer struct {
		status int
		body   string
	}
	answered := make(chan answer, 1)
	go func() {
		status, _, body := r.get(t, live)
		answered <- answer{status, body}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for waits := false; !waits; {
		if ctx.Err() != nil {
			t.Fatal("nobody waits")
		}
		_, _, body := r.get(t, r.admin+"/readyz")
		var ready struct {
			Feeds []struct {
				Shape, Position string
				Waiting         int
			}
		}
		if err := json.Unmarshal([]byte(body), &ready); err != nil {
			t.Fatal(err)
		}
		for _, f := range ready.Feeds {
			waits = f.Shape == "documents" && f.Position != "" && f.Waiting == 1
		}
	}
	r.stop()
	if a := <-answered; a.status != http.StatusOK || !strings.Contains(a.body, "up-to-date") {
		t.Errorf("the waiting request got %d %s", a.status, a.body)
	}
	if err := <-r.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func TestMetricsAreForOperatorsAlone(t *testing.T) {
	r := start(t, false, zed)
	r.untilReady(t)
	r.get(t, r.public+"/v1/shapes/documents?offset=-1")
	_, _, body := r.get(t, r.admin+"/metrics")
	for _, name := range []string{
		"shapegate_requests_total", "grpc_client_handled_total",
		`shapegate_feed_lsn{shape="documents"}`, `shapegate_feed_lag_seconds{shape="documents"} 0`,
		"shapegate_feed_readers{", "shapegate_feed_waiting{", "shapegate_feed_window_bytes{", "shapegate_feed_restarts_total{",
	} {
		if !strings.Contains(body, name) {
			t.Errorf("%s is not among the metrics", name)
		}
	}
	for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
		if status, _, _ := r.get(t, r.public+path); status != http.StatusNotFound {
			t.Errorf("%s is public: %d", path, status)
		}
	}
}
