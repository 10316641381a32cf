package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

// console is what a run prints, as it prints it.
type console struct {
	screen
	more chan struct{} // has one element when something was written since
}

func (c *console) Write(p []byte) (int, error) {
	n, err := c.screen.Write(p)
	select {
	case c.more <- struct{}{}:
	default:
	}
	return n, err
}

// until waits for a text.
func (c *console) until(t *testing.T, text string) string {
	t.Helper()
	for {
		if all := c.lines(); strings.Contains(all, text) {
			return all
		}
		select {
		case <-c.more:
		case <-time.After(20 * time.Second):
			t.Fatalf("%q was not printed: %s", text, c.lines())
		}
	}
}

// started is a run.
type started struct {
	out, errs *console
	stop      context.CancelFunc
	done      chan error
}

func newConsole() *console {
	return &console{screen: screen{ready: make(chan struct{})}, more: make(chan struct{}, 1)}
}

// start runs shapegate-dev with an environment of env alone.
func start(t *testing.T, env []string, args ...string) *started {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &started{out: newConsole(), errs: newConsole(), stop: stop, done: make(chan error, 1)}
	go func() { s.done <- run(ctx, append([]string{"--listen", "127.0.0.1:0"}, args...), env, s.out, s.errs) }()
	t.Cleanup(stop)
	return s
}

// end ends the run, which has less than the five seconds that gRPC gives a connection.
func (s *started) end(t *testing.T) {
	t.Helper()
	s.stop()
	select {
	case err := <-s.done:
		if err != nil {
			t.Errorf("the end: %v", err)
		}
	case <-time.After(4 * time.Second):
		t.Fatal("it does not end")
	}
}

// find returns what a pattern's group matches in the output.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in %s", pattern, text)
	}
	return m[1]
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Shapes that SpiceDB's schema does not know keep it from being ready.
const otherShapes = `
shapes:
  plans:
    table: plans
    columns: [id, title]
    authorize:
      filter: [{resource: plan, permission: view, column: id}]
`

// It ends when it is asked to, at every moment: before it is ready it prints no guide,
// and its error output says why it is not ready.
func TestItEndsBeforeItIsReady(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // nobody answers there
	s := start(t, []string{"ELECTRIC_URL=http://" + l.Addr().String()})
	s.errs.until(t, "not ready")
	s.end(t)
	if out := s.out.lines(); strings.Contains(out, "is ready") {
		t.Errorf("it says that it is ready: %s", out)
	}
}

func TestItEndsAtOnce(t *testing.T) {
	start(t, nil).end(t)
	s := start(t, nil)
	s.out.until(t, "Ctrl-C")
	s.end(t)
}

// A SpiceDB that accepts connections and says nothing is waited for, and not after
// the end.
func TestItEndsWhileSpiceDBIsSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	s := start(t, []string{"SPICEDB_ENDPOINT=" + l.Addr().String(), "SPICEDB_TOKEN=x", "SPICEDB_INSECURE=true"})
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	s.end(t)
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, nil, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"--schema", "--relationships", "--sql", "--shapes", "--tls", "--people", "SHAPEGATE_CORS_ORIGINS", "SPICEDB_ENDPOINT", "SHAPEGATE_JWT_SECRET"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("no %s in %s", text, out.String())
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for want, test := range map[string]struct{ env, args []string }{
		"--nope":                 {nil, []string{"--nope"}},
		"stray":                  {nil, []string{"stray"}},
		"SHAPEGATE_CORS_ORIGINS": {[]string{"SHAPEGATE_CORS_ORIGINS=nonsense"}, nil},
		"SHAPEGATE_JWT_SECRET":   {[]string{"SHAPEGATE_JWT_SECRET=short"}, nil},
		"SPICEDB_INSECURE":       {[]string{"SPICEDB_INSECURE=perhaps"}, nil},
		"--sql is for":           {[]string{"ELECTRIC_URL=http://127.0.0.1:1"}, []string{"--sql", "x"}},
		"--sql: open":            {nil, []string{"--sql", "none"}},
		"--schema: open":         {nil, []string{"--schema", "none"}},
		"--relationships: open":  {nil, []string{"--relationships", "none"}},
		"cache folder":           {nil, []string{"--tls"}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := run(ctx, append([]string{"--listen", "127.0.0.1:0"}, test.args...), test.env, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v %v: %v", test.env, test.args, err)
		}
		cancel()
	}
	s := start(t, []string{"SHAPEGATE_CORS_ORIGIN=*"})
	s.errs.until(t, `SHAPEGATE_CORS_ORIGIN is set, and is no setting, did you mean "SHAPEGATE_CORS_ORIGINS"?`)
	s.end(t)
}

// Nobody else mends shapes that do not fit their tables: the end says what is wrong, where.
func TestShapesThatDoNotFitTheirTablesEndIt(t *testing.T) {
	shapes := writeFile(t, "shapes.yaml", "shapes:\n  lost:\n    table: nowhere\n    columns: [id]\n    authorize:\n"+
		"      filter: [{resource: document, permission: view, column: id}]\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := run(ctx, []string{"--listen", "127.0.0.1:0", "--shapes", shapes}, nil, io.Discard, io.Discard)
	var misfit schema.Finding
	if !errors.As(err, &misfit) || misfit.Shape != "lost" || !strings.Contains(err.Error(), "shapes.yaml:3") {
		t.Errorf("it ended with %v", err)
	}
}

// Nor does anybody mend the schema of the embedded SpiceDB.
func TestShapesThatDoNotFitTheEmbeddedSchemaEndIt(t *testing.T) {
	shapes := writeFile(t, "shapes.yaml", "shapes:\n  plans:\n    table: documents\n    columns: [id]\n    authorize:\n"+
		"      filter: [{resource: plan, permission: view, column: id}]\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := run(ctx, []string{"--listen", "127.0.0.1:0", "--shapes", shapes}, nil, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), `shapes.yaml:6:`) || !strings.Contains(err.Error(), `"plan"`) {
		t.Errorf("it ended with %v", err)
	}
}

// A SpiceDB that has a schema is left as it is, so a schema for it is a mistake.
func TestASchemaIsNotIgnored(t *testing.T) {
	server := spicedbtest.Start(t, spicedbtest.Config{Schema: demo.Schema, ListenAddr: "127.0.0.1:0"})
	env := []string{"SPICEDB_ENDPOINT=" + server.Addr(), "SPICEDB_TOKEN=" + server.Token(), "SPICEDB_INSECURE=true"}
	err := run(t.Context(), []string{"--listen", "127.0.0.1:0", "--schema", writeFile(t, "a.zed", "definition user {}")}, env, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "unset SPICEDB_ENDPOINT") {
		t.Errorf("it ended with %v", err)
	}
}

// Tokens that were printed hold after a restart, since the secret is kept in a file
// that only its owner can read.
func TestTheSecretIsKeptAcrossStarts(t *testing.T) {
	cache := t.TempDir()
	env := []string{"XDG_CACHE_HOME=" + cache}
	first := start(t, env)
	token := find(t, first.out.until(t, "Ctrl-C"), `ALICE=(\S+)`)
	first.end(t)
	info, err := os.Stat(filepath.Join(cache, "shapegate-dev", secretFile))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the secret's file has the mode %v", info.Mode())
	}

	second := start(t, env)
	base := find(t, second.out.until(t, "Ctrl-C"), `shapegate +(http\S+)`)
	if status, body := get(t, http.DefaultClient, base+"/v1/shapes/documents?offset=-1", token); status != http.StatusOK {
		t.Errorf("the token of the first start: %d %s", status, body)
	}
	second.end(t)
}

func get(t *testing.T, client *http.Client, target, token string) (status int, body string) {
	t.Helper()
	status, _, body = fetch(t, client, target, token)
	return status, body
}

func fetch(t *testing.T, client *http.Client, target, token string) (status int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return 0, nil, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// A token that is refused is explained in the log, which does not show it.
func TestTheLogSaysWhyATokenIsRefused(t *testing.T) {
	s := start(t, nil)
	out := s.out.until(t, "Ctrl-C")
	base, token := find(t, out, `shapegate +(http\S+)`), find(t, out, `ALICE=(\S+)`)
	if status, _ := get(t, http.DefaultClient, base+"/v1/shapes/documents?offset=-1", token+"x"); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	log := s.errs.until(t, "unauthenticated")
	if !strings.Contains(log, "signature") || strings.Contains(log, token[:40]) {
		t.Errorf("the log: %s", log)
	}
	s.end(t)
}

func TestAWorldOfOnesOwn(t *testing.T) {
	s := start(t, []string{"SHAPEGATE_CORS_ORIGINS=https://app.example"},
		"--schema", writeFile(t, "a.zed", "definition user {}\ndefinition plan {\n\trelation owner: user\n\tpermission view = owner\n}"),
		"--relationships", writeFile(t, "r", "// mine\n# also\n\nplan:p1#owner@user:dave\n"),
		"--sql", writeFile(t, "a.sql", "CREATE TABLE plans (id text PRIMARY KEY, title text); INSERT INTO plans VALUES ('p1', 'one'), ('p2', 'two');"),
		"--shapes", writeFile(t, "shapes.yaml", otherShapes))
	out := s.out.until(t, "Ctrl-C")
	base, token := find(t, out, `shapegate +(http\S+)`), find(t, out, `DAVE=(\S+)`)
	for _, text := range []string{"/v1/shapes/plans?offset=-1", "SELECT * FROM public.plans", "@user:dave", "schema has no heartbeat", "\ndefinition shapegate_canary {"} {
		if !strings.Contains(out, text) {
			t.Errorf("no %q to paste: %s", text, out)
		}
	}
	if strings.Contains(out, "documents") || strings.Contains(out, "ALICE") {
		t.Errorf("the demo is in the guide: %s", out)
	}
	status, body := get(t, http.DefaultClient, base+"/v1/shapes/plans?offset=-1", token)
	if status != http.StatusOK || !strings.Contains(body, `"one"`) || strings.Contains(body, `"two"`) {
		t.Errorf("%d %s", status, body)
	}
	for origin, want := range map[string]string{"https://app.example": "https://app.example", "https://other.example": ""} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/shapes/plans?offset=-1", nil)
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s is answered with %q", origin, got)
		}
	}
	s.end(t)
}

// A page with many collections holds as many requests. Over HTTP/2 they share one
// connection, and the next request does not wait for one of them to end, as it does
// with the six connections that browsers open for HTTP/1.1.
func TestTenLongPollsAndARequestShareAConnection(t *testing.T) {
	cache := t.TempDir()
	s := start(t, []string{"XDG_CACHE_HOME=" + cache}, "--tls")
	out := s.out.until(t, "Ctrl-C")
	base, admin, token := find(t, out, `shapegate +(https\S+)`), find(t, out, `admin +(http\S+) `), find(t, out, `ALICE=(\S+)`)
	client, dials := trusting(t, find(t, out, `--cacert '([^']+)'`))

	target := base + "/v1/shapes/documents"
	status, header, body := fetch(t, client, target+"?offset=-1", token)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	live := fmt.Sprintf("%s?live=true&offset=%s&handle=%s", target, header.Get("Electric-Offset"), url.QueryEscape(header.Get("Electric-Handle")))
	const polls = 10
	answered := make(chan int, polls)
	for range polls {
		go func() {
			status, _ := get(t, client, live, token)
			answered <- status
		}()
	}
	untilWaiting(t, admin, polls)
	if status, body := get(t, client, target+"?offset=-1", token); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	if len(answered) > 0 {
		t.Errorf("%d of the long-polls had ended", len(answered))
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	s.end(t) // answers them
	for range polls {
		if status := <-answered; status != http.StatusOK {
			t.Errorf("a long-poll got %d", status)
		}
	}

	// The certificate is kept, so that it has to be trusted once.
	before, err := os.ReadFile(filepath.Join(cache, "shapegate-dev", certificateFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := keptCertificate(filepath.Join(cache, "shapegate-dev")); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(filepath.Join(cache, "shapegate-dev", certificateFile)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("another certificate: %v", err)
	}
	if info, err := os.Stat(filepath.Join(cache, "shapegate-dev", keyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
}

// trusting returns an HTTP/2 client that trusts a certificate, and counts its
// connections.
func trusting(t *testing.T, certificate string) (*http.Client, *atomic.Int32) {
	t.Helper()
	text, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("no certificate")
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	dials := new(atomic.Int32)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		Protocols:       protocols,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, strings.Replace(address, "localhost", "127.0.0.1", 1))
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, dials
}

// untilWaiting asks /readyz until so many requests wait.
func untilWaiting(t *testing.T, admin string, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		_, body := get(t, http.DefaultClient, admin+"/readyz", "")
		var ready struct{ Feeds []struct{ Waiting int } }
		if err := json.Unmarshal([]byte(body), &ready); err != nil {
			t.Fatal(errors.Join(err, errors.New(body)))
		}
		waiting := 0
		for _, f := range ready.Feeds {
			waiting += f.Waiting
		}
		if waiting == want {
			return
		}
	}
	t.Fatalf("not %d requests wait", want)
}
