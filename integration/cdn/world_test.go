package cdn_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/nginxtest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/integration/web"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

var keys = identity.Config{Secret: []byte("the secret of these tests, of nothing else")}

// world is the demo's data behind a shapegate, and the demo's page.
type world struct {
	t      *testing.T
	tables *electrictest.Server
	spice  *spicedb.Client // for writes
	gate   *httptest.Server
	page   *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	tables := electrictest.New(electrictest.Options{})
	t.Cleanup(tables.Close)
	_, err := tables.Exec(demo.SQL)
	check(t, err)
	engine := spicedbtest.Start(t, spicedbtest.Config{Schema: demo.Schema, Relationships: demo.RelationshipLines()})
	shapes, err := schema.Parse("shapes.yaml", []byte(demo.Shapes))
	check(t, err)
	w := &world{t: t, tables: tables}
	reached := spicedb.Config{Endpoint: "in-process", Token: engine.Token(), Insecure: true, Dialer: engine.DialContext}
	w.spice, err = spicedb.Dial(reached)
	check(t, err)
	t.Cleanup(func() { _ = w.spice.Close() })
	g, err := gateway.New(gateway.Config{
		Shapes: shapes, SpiceDB: reached, Electric: electric.Config{URL: serve(t, tables).URL}, Identity: keys, Secret: keys.Secret,
		Redis:  session.RedisConfig{URL: "redis://" + miniredis.RunT(t).Addr()},
		Proxy:  proxy.Config{Cookie: proxy.Cookie{Insecure: true}}, // a browser without a certificate takes it, too
		Logger: slog.New(slog.DiscardHandler),
	})
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- g.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ran; _ = g.Close() })
	for err = g.Ready(ctx); err != nil && ctx.Err() == nil; err = g.Ready(ctx) {
	}
	w.gate, w.page = serve(t, g.Handler()), serve(t, web.Handler(http.NotFoundHandler()))
	return w
}

// serve serves until the test ends. Requests that are held are cut then.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// write changes a relationship, and returns the write's ZedToken.
func (w *world) write(operation spicedb.Operation, relationship string) string {
	w.t.Helper()
	r, err := spicedb.ParseRelationship(relationship)
	check(w.t, err)
	token, err := w.spice.WriteRelationships(w.t.Context(), spicedb.Update{Operation: operation, Relationship: r})
	check(w.t, err)
	return token
}

// front is an nginx in front of a world, or the world's shapegate itself.
type front struct {
	t      *testing.T
	url    string
	kept   string // the folder of what nginx keeps
	client *http.Client
}

// nginx starts nginx with nginx.conf, some of it replaced.
func (w *world) nginx(replace ...string) *front {
	w.t.Helper()
	f := w.start("443", replace)
	f.url = "https://" + f.url
	return f
}

// plainNginx is nginx without TLS.
func (w *world) plainNginx() *front {
	w.t.Helper()
	f := w.start("443 ssl http2", nil)
	f.url = "http://" + f.url
	return f
}

func (w *world) start(listen string, replace []string) *front {
	w.t.Helper()
	f := &front{t: w.t, kept: filepath.Join(w.t.TempDir(), "site")}
	certificate, key, authority := selfSigned(w.t)
	all := map[string]string{
		"127.0.0.1:8080": strings.TrimPrefix(w.gate.URL, "http://"), "127.0.0.1:8000": strings.TrimPrefix(w.page.URL, "http://"),
		"/var/cache/nginx/site": f.kept, "/etc/nginx/sync.example.com.pem": certificate, "/etc/nginx/sync.example.com.key": key,
	}
	for pair := range slices.Chunk(replace, 2) {
		all[pair[0]] = pair[1]
	}
	server := nginxtest.Start(w.t, nginxtest.Config{File: "nginx.conf", Listen: listen, Replace: all})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority}, ForceAttemptHTTP2: true}
	w.t.Cleanup(transport.CloseIdleConnections)
	f.url, f.client = server.Addr, &http.Client{Transport: transport, Timeout: time.Minute}
	return f
}

// direct is without nginx.
func (w *world) direct() *front { return &front{t: w.t, url: w.gate.URL, client: w.gate.Client()} }

// selfSigned writes a certificate for 127.0.0.1, that of package httptest.
func selfSigned(t *testing.T) (certificate, key string, authority *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	own := server.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	check(t, err)
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "certificate.pem"), filepath.Join(folder, "key.pem")
	check(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]}), 0o600))
	check(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	authority = x509.NewCertPool()
	authority.AddCert(server.Certificate())
	return certificate, key, authority
}

// credentials are the headers by which a person is known.
type credentials http.Header

var nobody = credentials{}

// bearer makes a JWT for a person, another at each call.
func bearer(t *testing.T, person string) credentials {
	t.Helper()
	token, err := keys.Sign(person, map[string]any{"jti": rand.Text()}, time.Hour)
	check(t, err)
	return credentials{"Authorization": {"Bearer " + token}}
}

// sessionToken and sessionCookie exchange a JWT for a session, through nginx.
func (f *front) sessionToken(person string) credentials {
	return credentials{"Authorization": {"Bearer " + f.signIn(person)}}
}

func (f *front) sessionCookie(person string) credentials {
	return credentials{"Cookie": {"shapegate_session=" + f.signIn(person)}}
}

func (f *front) signIn(person string) string {
	f.t.Helper()
	a := f.ask(bearer(f.t, person), "POST /v1/session").is(http.StatusCreated)
	var made struct{ Token string }
	check(f.t, json.Unmarshal([]byte(a.body), &made))
	return made.Token
}

// answer is one that was read to its end.
type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// ask sends a request: "POST /v1/session", with a body behind the path.
func (f *front) ask(who credentials, request string, more ...string) *answer {
	f.t.Helper()
	resp := f.open(who, request, more...)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	check(f.t, err)
	return &answer{f.t, request, resp.StatusCode, resp.Header, string(body)}
}

// open is ask, up to the headers. more are names and values of headers.
func (f *front) open(who credentials, request string, more ...string) *http.Response {
	f.t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	check(f.t, err)
	for name, values := range who {
		r.Header[name] = values
	}
	for pair := range slices.Chunk(more, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	resp, err := f.client.Do(r)
	check(f.t, err)
	return resp
}

func (a *answer) is(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d %s, want %d", a.what, a.status, a.body, status)
	}
	return a
}

// fromCache reports whether nginx answered of its cache.
func (a *answer) fromCache() bool {
	return !slices.Contains([]string{"", "MISS", "BYPASS"}, a.header.Get("X-Cache"))
}

// onward is where the log goes on.
func (a *answer) onward() string {
	return "offset=" + a.header.Get("Electric-Offset") + "&handle=" + a.header.Get("Electric-Handle")
}

// titles are those of the demo's documents that an answer has, sorted.
func (a *answer) titles() (found []string) {
	for _, title := range []string{"Atlas charter", "Atlas budget", "Borealis plan", "Borealis review", "Borealis incident", "Comet pitch", "Comet contract"} {
		if strings.Contains(a.body, title) {
			found = append(found, title)
		}
	}
	return found
}

// keeps reports the requests whose answers nginx has kept.
func (f *front) keeps() (all []string) {
	f.t.Helper()
	check(f.t, filepath.WalkDir(f.kept, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // nginx' own file
		_, rest, _ := strings.Cut(string(text), "\nKEY: ")
		key, _, _ := strings.Cut(rest, "\n")
		all = append(all, key)
		return err
	}))
	return all
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
