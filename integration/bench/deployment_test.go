package bench_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/grantcachetest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

const zed = `
definition user {}
definition document {
	relation viewer: user
	permission view = viewer
}
definition shapegate_canary {
	relation beat: shapegate_canary
}`

const shapesYAML = `
shapes:
  documents:
    table: documents
    columns: [id, title, body]
    authorize:
      filter:
        - {resource: document, permission: view, column: id}
`

var secret = []byte("the secret of the benchmarks, 32 bytes long")

// deployment is a proxy over the real engine and the stand-in, whose table has
// twice the rows that alice may see.
type deployment struct {
	b       *testing.B
	direct  string // the stand-in's URL
	proxied string
	token   string
	client  *http.Client
	tables  *electrictest.Server
	granted []string
}

func deploy(b *testing.B, rows int) *deployment {
	b.Helper()
	d := &deployment{b: b, client: &http.Client{}, token: token(b)}
	d.tables = electrictest.New(electrictest.Options{})
	b.Cleanup(d.tables.Close)
	d.fill(rows)
	upstream := httptest.NewServer(d.tables)
	b.Cleanup(upstream.Close)
	d.direct = upstream.URL

	relationships := make([]string, rows)
	for i, id := range d.granted {
		relationships[i] = fmt.Sprintf("document:%s#viewer@user:alice", id)
	}
	engine := spicedbtest.Start(b, spicedbtest.Config{Schema: zed, Relationships: relationships})
	client, err := spicedb.Dial(spicedb.Config{Endpoint: "spicedb", Token: engine.Token(), Insecure: true, Dialer: engine.DialContext})
	check(b, err)
	b.Cleanup(func() { _ = client.Close() })
	cache := grantcachetest.Start(b, grantcache.Config{Engine: client, Key: authz.NewFingerprintKey(secret)})
	d.proxied = serve(b, cache, upstream.URL)
	return d
}

// serve runs a proxy and returns its URL.
func serve(b *testing.B, authorizer proxy.Authorizer, upstream string) string {
	b.Helper()
	shapes, err := schema.Parse("shapes.yaml", []byte(shapesYAML))
	check(b, err)
	verifier, err := identity.New(b.Context(), identity.Config{Secret: secret})
	check(b, err)
	e, err := electric.NewClient(electric.Config{URL: upstream})
	check(b, err)
	h, err := proxy.New(proxy.Config{
		Limits: proxy.Limits{Rate: 1e6, Burst: 1e6, Concurrent: 1e6},
		Shapes: shapes, Authorizer: authorizer, Tokens: verifier, Electric: e, Secret: secret,
		Logger: slog.New(slog.DiscardHandler),
	})
	check(b, err)
	front := httptest.NewServer(h)
	b.Cleanup(func() {
		h.Drain()
		front.Close()
		h.Close()
	})
	return front.URL
}

func (d *deployment) fill(rows int) {
	_, err := d.tables.Exec("CREATE TABLE documents (id uuid PRIMARY KEY, title text NOT NULL, body text)")
	check(d.b, err)
	_, err = d.tables.Tx(func(tx *electrictest.Tx) error {
		for i := range 2 * rows {
			id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
			if i%2 == 0 {
				d.granted = append(d.granted, id)
			}
			if err := tx.Insert("documents", map[string]any{"id": id, "title": fmt.Sprintf("document %d", i), "body": strings.Repeat("x", 200)}); err != nil {
				return err
			}
		}
		return nil
	})
	check(d.b, err)
}

func token(b *testing.B) string {
	b.Helper()
	claims := jwt.MapClaims{"sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}
	t, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	check(b, err)
	return t
}

// fetch makes a request, reads all of the answer, and returns how long it took.
func (d *deployment) fetch(method, url, body string) (time.Duration, http.Header) {
	d.b.Helper()
	start := time.Now()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	check(d.b, err)
	req.Header.Set("Authorization", "Bearer "+d.token)
	resp, err := d.client.Do(req)
	check(d.b, err)
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		d.b.Fatalf("%s: status %d, %v", url, resp.StatusCode, err)
	}
	return time.Since(start), resp.Header
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
