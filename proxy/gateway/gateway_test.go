package gateway_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
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

const tablesSQL = "CREATE TABLE documents (id text PRIMARY KEY); INSERT INTO documents VALUES ('d1'), ('d2')"

// world is what a gateway stands in front of.
type world struct {
	zed, sql, shapes string
	spicedbAway      bool
	version          string    // that SpiceDB claims; empty: its own
	log              io.Writer // nil: nowhere
	gatekeeper       gateway.Gatekeeper
}

// running is a gateway that runs, and its parts.
type running struct {
	public, admin string
	engine        *spicedbtest.Server
	tables        *electrictest.Server
	stop          context.CancelFunc
	done          <-chan error
	given         sync.Map // the answers of openapi.yaml that were given
}

func (w world) start(t *testing.T) *running {
	t.Helper()
	r := &running{tables: electrictest.New(electrictest.Options{})}
	t.Cleanup(r.tables.Close)
	if _, err := r.tables.Exec(cmp.Or(w.sql, tablesSQL)); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(r.tables)
	t.Cleanup(upstream.Close)
	r.engine = spicedbtest.Start(t, spicedbtest.Config{Schema: cmp.Or(w.zed, zed), ListenAddr: "127.0.0.1:0"})
	if w.spicedbAway {
		r.engine.Pause()
	}
	shapes, err := schema.Parse("shapes.yaml", []byte(cmp.Or(w.shapes, shapesYAML)))
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	if w.log != nil {
		logger = slog.New(slog.NewJSONHandler(w.log, nil))
	}
	g, err := gateway.New(gateway.Config{
		Shapes:   shapes,
		SpiceDB:  spicedb.Config{Endpoint: r.engine.Addr(), Token: r.engine.Token(), Insecure: true},
		Electric: electric.Config{URL: upstream.URL},
		Identity: identity.Config{Secret: secret},
		Secret:   secret,
		Logger:   logger,

		Gatekeeper: w.gatekeeper,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.version != "" {
		g.ClaimVersion(w.version)
	}
	public, admin := httptest.NewServer(g.Handler()), httptest.NewServer(g.Admin())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		public.Close()
		admin.Close()
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	r.public, r.admin, r.stop, r.done = public.URL, admin.URL, cancel, done
	return r
}

// get makes a request as alice.
func (r *running) get(t *testing.T, url string) (status int, header http.Header, body string) {
	t.Helper()
	return r.getAs(t, url, "alice", nil)
}

// getAs makes a request as somebody, with claims.
func (r *running) getAs(t *testing.T, url, subject string, claims map[string]any) (status int, header http.Header, body string) {
	t.Helper()
	return r.askAs(t, http.MethodGet, url, subject, claims)
}

// askAs makes a request of any method, which has no body.
func (r *running) askAs(t *testing.T, method, url, subject string, claims map[string]any) (status int, header http.Header, body string) {
	t.Helper()
	token, err := identity.Config{Secret: secret}.Sign(subject, claims, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := r.client(t, url).Do(req)
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

// A SpiceDB with known vulnerabilities is served from, and said to be old.
func TestReadyzWarnsOfAnOldSpiceDB(t *testing.T) {
	r := world{version: "v1.50.0"}.start(t)
	r.untilReady(t)
	const want = `"warnings":["SpiceDB v1.50.0 has known vulnerabilities in checks and lookups, so that answers may be wrong: upgrade it to v1.51.1 or newer"]`
	if status, _, body := r.get(t, r.admin+"/readyz"); status != http.StatusOK || !strings.Contains(body, want) {
		t.Errorf("%d %s", status, body)
	}
	r = world{version: "v1.51.1"}.start(t)
	r.untilReady(t)
	if _, _, body := r.get(t, r.admin+"/readyz"); strings.Contains(body, "warnings") {
		t.Errorf("there is nothing to warn of: %s", body)
	}
}

func TestSpiceDBBeingAwayAtTheStartDelaysReadiness(t *testing.T) {
	r := world{spicedbAway: true}.start(t)
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
	r := world{zed: "definition user {}"}.start(t)
	if status, _, _ := r.get(t, r.admin+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", status)
	}
	if err := r.engine.WriteSchema(t.Context(), zed); err != nil {
		t.Fatal(err)
	}
	r.untilReady(t)
}

func TestTheEndOfRunAnswersWaitingRequests(t *testing.T) {
	r := world{}.start(t)
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
			t.Fatal("no request waits")
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
	r := world{}.start(t)
	r.untilReady(t)
	r.get(t, r.public+"/v1/shapes/documents?offset=-1")
	r.get(t, r.public+"/v1/shapes/documents?offset=never")
	_, _, body := r.get(t, r.admin+"/metrics")
	for _, name := range []string{
		"shapegate_requests_total", "grpc_client_handled_total", "grpc_client_handling_seconds_bucket",
		`shapegate_decision_seconds_count{outcome="permitted"}`, `shapegate_errors_total{error="bad_request",shape="documents"} 1`,
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

// A shape that its table does not fit is named on /readyz and in the log, and the
// process is not ready until the table is put right.
func TestShapesThatDoNotFitTheirTablesAreNamed(t *testing.T) {
	const shapes = `
shapes:
  documents:
    table: documents
    columns: [id, tags]
    authorize:
      filter:
        - {resource: document, permission: view, column: %s}
`
	for _, test := range []struct {
		name, sql, filter, mend string
		want                    []string
	}{
		{"no table", "CREATE TABLE other (id text PRIMARY KEY)", "id",
			"CREATE TABLE documents (id text PRIMARY KEY, tags text[])",
			[]string{"shapes.documents.table", "there is no table public.documents"}},
		{"no column", "CREATE TABLE documents (id text PRIMARY KEY, tag text[])", "id",
			"DROP TABLE documents; CREATE TABLE documents (id text PRIMARY KEY, tags text[])",
			[]string{"shapes.documents.columns[1]", `has no column "tags"`}},
		{"the primary key is not among columns", "CREATE TABLE documents (n int PRIMARY KEY, id text, tags text[])", "id",
			"DROP TABLE documents; CREATE TABLE documents (id text PRIMARY KEY, tags text[])",
			[]string{"shapes.documents.columns", "primary key"}},
		{"a column that holds no ids", "CREATE TABLE documents (id text PRIMARY KEY, tags text[])", "tags",
			"", []string{"shapes.documents.authorize.filter[0].column", "text[]", "uuid, int2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := &lockedBuffer{}
			r := world{sql: test.sql, shapes: fmt.Sprintf(shapes, test.filter), log: log}.start(t)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			body := r.untilReadyzSays(ctx, t, test.want[0])
			for _, text := range test.want {
				if !strings.Contains(body, strings.ReplaceAll(text, `"`, `\"`)) {
					t.Errorf("readyz does not say %s: %s", text, body)
				}
			}
			for _, text := range []string{`"shape":"documents"`, `"column":`, `"reason":`, `"level":"ERROR"`} {
				if !strings.Contains(log.String(), text) {
					t.Errorf("the log does not say %s: %s", text, log)
				}
			}
			if test.mend == "" {
				return
			}
			if _, err := r.tables.Exec(test.mend); err != nil {
				t.Fatal(err)
			}
			r.untilReady(t)
		})
	}
}

// The values of params are not known at the start; the table is checked all the same.
func TestAShapeWithParamsIsCheckedToo(t *testing.T) {
	const shapes = `
shapes:
  documents:
    table: documents
    columns: [id, %s]
    params: {of: {}}
    where: "id = $of"
    authorize:
      gate: {resource: "document:$of", permission: view}
`
	r := world{shapes: fmt.Sprintf(shapes, "title"), sql: "CREATE TABLE documents (id text PRIMARY KEY, title text)"}.start(t)
	r.untilReady(t)
	r = world{shapes: fmt.Sprintf(shapes, "titel"), sql: "CREATE TABLE documents (id text PRIMARY KEY, title text)"}.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r.untilReadyzSays(ctx, t, "shapes.documents.columns[1]")
}

// What keeps the process from being ready names the setting, and no address.
func TestReadyzNamesTheSetting(t *testing.T) {
	r := world{spicedbAway: true}.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if body := r.untilReadyzSays(ctx, t, "SPICEDB_ENDPOINT"); strings.Contains(body, "127.0.0.1") {
		t.Errorf("readyz names an address: %s", body)
	}
}

// untilReadyzSays asks until the process says that it is not ready, for this reason.
func (r *running) untilReadyzSays(ctx context.Context, t *testing.T, reason string) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		status, _, body := r.get(t, r.admin+"/readyz")
		if status == http.StatusServiceUnavailable && strings.Contains(body, reason) {
			return body
		}
		select {
		case <-ctx.Done():
			t.Fatalf("readyz: %d %s", status, body)
		case <-tick.C:
		}
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
