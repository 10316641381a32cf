package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

// result is what a command left behind.
type result struct {
	code           int
	stdout, stderr string
}

// shapegate runs a command in this process, with nothing in its environment but
// env.
func shapegate(t *testing.T, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	code := run(t.Context(), args, environ, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// startSpiceDB starts the real engine on a TCP port and returns the environment
// that leads to it.
func startSpiceDB(t *testing.T, config spicedbtest.Config) map[string]string {
	t.Helper()
	config.ListenAddr = "127.0.0.1:0"
	server := spicedbtest.Start(t, config)
	return map[string]string{
		"SPICEDB_ENDPOINT": server.Addr(),
		"SPICEDB_TOKEN":    server.Token(),
		"SPICEDB_INSECURE": "true",
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func with(env map[string]string, name, value string) map[string]string {
	env = maps.Clone(env)
	env[name] = value
	return env
}

func (r result) expect(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stdout, stdout) || !strings.Contains(r.stderr, stderr) {
		t.Errorf("got exit code %d\nstdout: %s\nstderr: %s\nwant %d, %q, %q", r.code, r.stdout, r.stderr, code, stdout, stderr)
	}
}

// freePort returns an address where nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// The demo is brought into an empty SpiceDB by the commands that the compose
// file's seed job uses.
func TestSeedAnEmptySpiceDB(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{})

	shapegate(t, env, "", "schema", "read").expect(t, 0, "", "no schema yet")
	shapegate(t, env, "", "schema", "write", "../../schema/demo/demo.zed").expect(t, 0, "ZedToken", "")
	shapegate(t, env, "", "schema", "read").expect(t, 0, "definition document", "")
	shapegate(t, env, "", "relationship", "touch", "-f", "../../schema/demo/demo.relationships").
		expect(t, 0, fmt.Sprintf("wrote %d relationships, ZedToken", len(demo.RelationshipLines())), "")
	shapegate(t, env, "", "check-config", "--shapes", "../../schema/shapes.yaml").expect(t, 0, "ok: 5 shapes", "")

	got := shapegate(t, env, "", "relationship", "read", "document")
	var want []string
	for _, line := range demo.RelationshipLines() {
		if strings.HasPrefix(line, "document:") {
			want = append(want, line)
		}
	}
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	slices.Sort(lines)
	slices.Sort(want)
	if !slices.Equal(lines, want) {
		t.Errorf("read\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestGrantAndRevoke(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema, Relationships: demo.RelationshipLines()})
	document := "document:" + demo.SharedLater
	grant := document + "#viewer@user:bob"

	shapegate(t, env, "", "check", "user:bob", "view", document).expect(t, 1, "denied\n", "")
	shapegate(t, env, "", "relationship", "touch", grant).expect(t, 0, "wrote 1 relationship,", "")
	shapegate(t, env, "", "check", "user:bob", "view", document).expect(t, 0, "permitted\n", "")
	shapegate(t, env, "", "relationship", "read", document+"#viewer").expect(t, 0, grant+"\n", "")
	shapegate(t, env, "", "relationship", "read", "document@user:bob").expect(t, 0, grant+"\n", "")
	shapegate(t, env, "// bye\n# and\n\n"+grant+"\r\n", "relationship", "delete").expect(t, 0, "deleted 1 relationship,", "")
	shapegate(t, env, "", "check", "user:bob", "view", document).expect(t, 1, "denied\n", "")
}

func TestCheckWithContext(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema, Relationships: demo.RelationshipLines()})
	ask := []string{"check", "user:alice", "view", "document:d0c00000-0000-4000-8000-000000000006"}

	shapegate(t, env, "", ask...).expect(t, 1, "denied", "")
	shapegate(t, env, "", append(ask, "--context", `{"clearance": 1}`)...).expect(t, 1, "denied", "")
	shapegate(t, env, "", append(ask, "--context", `{"clearance": 2}`)...).expect(t, 0, "permitted", "")
	shapegate(t, env, "", append(ask, "--context", `2`)...).expect(t, 2, "", "not a JSON object")
}

// A failure to answer must not look like a denial, nor the other way round.
func TestCheckWithoutAnAnswer(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})

	shapegate(t, env, "", "check", "user:alice", "viw", "document:1").expect(t, 2, "", "viw")
	shapegate(t, env, "", "check", "alice", "view", "document:1").expect(t, 2, "", "subject")
	shapegate(t, env, "", "check", "user:*", "view", "document:1").expect(t, 2, "", "subject")
	shapegate(t, env, "", "check", "user:alice", "view", "document").expect(t, 2, "", "resource")
	shapegate(t, env, "", "check", "user:alice").expect(t, 2, "", "shapegate: check wants SUBJECT PERMISSION RESOURCE, as in\n  shapegate check user:alice view document:1\n")
	shapegate(t, with(env, "SPICEDB_TOKEN", "not-the-token"), "", "check", "user:alice", "view", "document:1").expect(t, 2, "", "preshared key")
}

func TestRelationshipInputIsCheckedBeforeAnyIsWritten(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	file := write(t, "r", "document:1#viewer@user:alice\nnonsense\n\ndocument:*#viewer@user:bob\n")

	got := shapegate(t, env, "", "relationship", "touch", "-f", file)
	got.expect(t, 1, "", "r:2: ")
	got.expect(t, 1, "", "r:4: ")
	if read := shapegate(t, env, "", "relationship", "read", "document"); read.stdout != "" {
		t.Errorf("written all the same: %s", read.stdout)
	}

	shapegate(t, env, "", "relationship", "touch").expect(t, 1, "", "no relationships")
	shapegate(t, env, "", "relationship", "touch", "-f", file, "document:1#viewer@user:alice").expect(t, 2, "", "not both")
	shapegate(t, env, "", "relationship", "touch", "-f", "none").expect(t, 1, "", "none")
	for _, filter := range []string{"", "Document", "document:", "document#", "document@", "document@user:", "document:*"} {
		shapegate(t, env, "", "relationship", "read", filter).expect(t, 2, "", "not of the form")
	}
}

func TestManyRelationshipsAreWrittenInBatches(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	var lines strings.Builder
	for i := range batch + 1 {
		fmt.Fprintf(&lines, "document:%d#viewer@user:alice\n", i)
	}
	shapegate(t, env, lines.String(), "relationship", "touch", "-f", "-").expect(t, 0, "wrote 1001 relationships", "")
	shapegate(t, env, "", "check", "user:alice", "view", "document:1000").expect(t, 0, "permitted", "")
}

func TestSchemaThatSpiceDBRefuses(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{})
	got := shapegate(t, env, "definition {", "schema", "write", "-")
	got.expect(t, 1, "", "standard input:1:12: Expected identifier, found token \"{\"\n")
	if strings.Contains(got.stderr, "internal") || strings.Contains(got.stderr, "rpc error") {
		t.Errorf("it sounds like a defect of shapegate: %s", got.stderr)
	}
	shapegate(t, env, "", "schema", "write", "none.zed").expect(t, 1, "", "none.zed")
}

func TestCheckConfig(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	wrong := strings.Replace(demo.Shapes, "permission: sync", "permission: snyc", 1)
	relation := strings.Replace(demo.Shapes, "permission: sync", "permission: member", 1)
	context := strings.Replace(demo.Shapes, "clearance: claims", "clearence: claims", 1)

	shapegate(t, env, "", "check-config", "--shapes", write(t, "shapes.yaml", demo.Shapes)).expect(t, 0, "ok: 5 shapes", "")
	shapegate(t, env, "", "check-config", "--shapes", write(t, "wrong.yaml", wrong)).
		expect(t, 1, "", `authorize.gate.permission: the definition workspace has no permission "snyc", did you mean "sync"?`)
	shapegate(t, env, "", "check-config", "--shapes", write(t, "context.yaml", context)).
		expect(t, 1, "", `authorize.context.clearence: no caveat of the shape's permissions has the parameter "clearence", did you mean "clearance"?`)
	shapegate(t, with(env, "SHAPEGATE_SHAPES", write(t, "relation.yaml", relation)), "", "check-config").expect(t, 0, "ok: 5 shapes", "hint: ")
	shapegate(t, nil, "", "check-config", "--offline", "--shapes", write(t, "wrong.yaml", wrong)).
		expect(t, 0, "ok: 5 shapes, 1 collection of grants\nnot checked: the permissions (SpiceDB's schema), the tables and columns (Electric)\n", "")
	shapegate(t, nil, "", "check-config", "--offline", "--shapes", write(t, "bad.yaml", "shapes: {A: {}, b: 1}")).
		expect(t, 1, "", "bad.yaml:1:10: shapes.A: ")
	shapegate(t, nil, "", "check-config", "--offline", "--shapes", "none.yaml").expect(t, 1, "", "none.yaml")
}

// startTables serves tables as Electric does, and returns env with their address.
func startTables(t *testing.T, env map[string]string, sql string) map[string]string {
	t.Helper()
	tables := electrictest.New(electrictest.Options{Secret: "electric's secret"})
	t.Cleanup(tables.Close)
	if _, err := tables.Exec(sql); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(tables)
	t.Cleanup(upstream.Close)
	return with(with(env, "ELECTRIC_URL", upstream.URL), "ELECTRIC_SECRET", "electric's secret")
}

// Shapes that their tables do not fit are found before anything is served, with their
// place in the file.
func TestCheckConfigAgainstElectric(t *testing.T) {
	env := startTables(t, startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema}), demo.SQL)
	edited := func(old, text string) []string {
		shapes := strings.Replace(demo.Shapes, old, text, 1)
		if shapes == demo.Shapes {
			t.Fatalf("no %s in the shapes", old)
		}
		return []string{"check-config", "--shapes", write(t, "shapes.yaml", shapes)}
	}

	good := shapegate(t, env, "", "check-config", "--shapes", write(t, "shapes.yaml", demo.Shapes))
	good.expect(t, 0, "ok: 5 shapes", "")
	if good.stderr != "" {
		t.Errorf("there is nothing to say: %s", good.stderr)
	}
	// A static where that is wrong: the column, or else the part that Electric does not accept.
	shapegate(t, env, "", edited("archived = false", "archved = false AND title = 'x'")...).
		expect(t, 1, "", `shapes.documents.where: the where names the column "archved", which the table public.documents does not have; name a column that there is`)
	shapegate(t, env, "", edited(`"archived = false"`, `"archived = false AND title > 3"`)...).
		expect(t, 1, "", `shapes.documents.where: Electric does not accept title > 3; use the columns of the table, and the operators`)
	shapegate(t, env, "", edited("project_id = $project AND archived = false", "projct_id = $project AND archived = false")...).
		expect(t, 1, "", `shapes.project_documents.where: the where names the column "projct_id", which the table public.documents does not have, did you mean "project_id"?; name a column`)
	shapegate(t, env, "", edited("project_id = $project AND archived = false", "project_id = $project AND archived = 3")...).
		expect(t, 1, "", `shapes.project_documents.where: Electric does not accept archived = 3; use`)

	// The tables are compared also where the schema has findings.
	both := strings.NewReplacer("table: projects", "table: project", "permission: sync", "permission: snyc").Replace(demo.Shapes)
	shapegate(t, env, "", "check-config", "--shapes", write(t, "shapes.yaml", both)).expect(t, 1, "", `shapes.documents.authorize.gate.permission: the definition workspace has no permission "snyc", did you mean "sync"?; name one that it has, or write a schema that has this one`)
	shapegate(t, env, "", "check-config", "--shapes", write(t, "shapes.yaml", both)).expect(t, 1, "", `shapes.projects.table: there is no table public.project; name the table`)
	shapegate(t, with(env, "SPICEDB_ENDPOINT", freePort(t)), "", "check-config", "--shapes", write(t, "shapes.yaml", both)).
		expect(t, 1, "", `shapes.projects.table: there is no table public.project; name the table as it stands in the catalog, with its schema if that is not public, and let Electric's role read it`+"\nshapegate: the permissions could not be checked (--offline leaves them out): ")

	shapegate(t, env, "", edited(`"archived = false"`, `"NOT archived"`)...).expect(t, 0, "ok: 5 shapes", "shapes.documents.where: Electric has no index for this where")
	shapegate(t, env, "", edited("table: projects", "table: project")...).
		expect(t, 1, "", `shapes.projects.table: there is no table public.project; name the table`)
	shapegate(t, env, "", edited("[id, name, updated_at]", "[id, names, updated_at]")...).expect(t, 1, "", "shapes.projects.columns[1]: ")
	shapegate(t, env, "", edited("[id, project_id, title, tags, updated_at]", "[project_id, title, tags, updated_at]")...).
		expect(t, 1, "", "shapes.project_documents.columns: ")
	got := shapegate(t, env, "", edited("permission: view, column: id", "permission: view, column: tags")...)
	got.expect(t, 1, "", `shapes.documents.authorize.filter[0].column: the column "tags" is of type text[], which cannot hold object ids; use a column of type uuid`)
	got.expect(t, 1, "", "shapes.yaml:")
	if place := regexp.MustCompile(`shapes\.yaml:\d+:\d+: shapes\.documents`); !place.MatchString(got.stderr) {
		t.Errorf("no place in the file: %s", got.stderr)
	}

	shapegate(t, with(env, "ELECTRIC_SECRET", "wrong"), "", "check-config", "--shapes", "../../schema/shapes.yaml").
		expect(t, 2, "", "put ELECTRIC_SECRET right")
	shapegate(t, with(env, "ELECTRIC_URL", "http://"+freePort(t)), "", "check-config", "--shapes", "../../schema/shapes.yaml").
		expect(t, 2, "", "ELECTRIC_URL")
	shapegate(t, with(env, "ELECTRIC_URL", ""), "", "check-config", "--shapes", "../../schema/shapes.yaml").
		expect(t, 0, "ok: 5 shapes, 1 collection of grants\nnot checked: the tables and columns (ELECTRIC_URL is not set), the indexes (DATABASE_URL is not set)\n", "")
}

// An operator's mistake is answered with the setting to put right.
func TestMistakesNameTheSetting(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	ask := []string{"check", "user:alice", "view", "document:1"}
	shapegate(t, with(env, "SPICEDB_TOKEN", "not-the-token"), "", ask...).expect(t, 2, "", "SPICEDB_TOKEN")
	shapegate(t, with(env, "SPICEDB_INSECURE", "false"), "", ask...).expect(t, 2, "", "SPICEDB_INSECURE=true")
	shapegate(t, with(env, "SPICEDB_ENDPOINT", freePort(t)), "", ask...).expect(t, 2, "", "SPICEDB_ENDPOINT")

	env = with(with(env, "ELECTRIC_URL", "http://electric:3000"), "SHAPEGATE_SHAPES", "../../schema/shapes.yaml")
	shapegate(t, with(env, "SHAPEGATE_SHAPES", "none.yaml"), "", "serve").expect(t, 1, "", "SHAPEGATE_SHAPES (--shapes)")
	shapegate(t, env, "", "check-config", "--shapes", "none.yaml").expect(t, 1, "", "SHAPEGATE_SHAPES (--shapes)")
	// The default ports may be taken by what else runs on this machine.
	env = with(with(env, "SHAPEGATE_LISTEN", "127.0.0.1:0"), "SHAPEGATE_ADMIN_LISTEN", "127.0.0.1:0")
	shapegate(t, env, "", "serve").expect(t, 2, "", "SHAPEGATE_JWT_SECRET (--jwt-secret) or SHAPEGATE_JWKS_URL (--jwks-url)")
	shapegate(t, env, "", "serve", "--jwt-secret", strings.Repeat("x", 32), "--tls-cert-file", "none.pem", "--tls-key-file", "none.pem").
		expect(t, 2, "", "SHAPEGATE_TLS_CERT_FILE")
	shapegate(t, env, "", "serve", "--jwt-secret", strings.Repeat("x", 32), "--redis-url", "nonsense").expect(t, 2, "", "REDIS_URL")
	shapegate(t, env, "", "serve", "--jwt-secret", strings.Repeat("x", 32), "--listen", "256.0.0.1:1").expect(t, 2, "", "SHAPEGATE_LISTEN")

	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().String()
	for flag, setting := range map[string]string{"--listen": "SHAPEGATE_LISTEN (--listen)", "--admin-listen": "SHAPEGATE_ADMIN_LISTEN (--admin-listen)"} {
		shapegate(t, env, "", "serve", "--jwt-secret", strings.Repeat("x", 32), flag, taken).
			expect(t, 2, "", "shapegate: "+setting+": "+taken+" is taken by another program: end that, or give another address with "+setting+"\n")
	}
}

func TestCheckConfigWhileSpiceDBIsAway(t *testing.T) {
	env := map[string]string{"SPICEDB_ENDPOINT": freePort(t), "SPICEDB_TOKEN": "key", "SPICEDB_INSECURE": "1"}
	shapegate(t, env, "", "check-config", "--shapes", "../../schema/shapes.yaml").
		expect(t, 2, "", "the permissions could not be checked (--offline leaves them out): ")
	shapegate(t, nil, "", "check-config", "--shapes", "../../schema/shapes.yaml").
		expect(t, 2, "", "not set: SPICEDB_ENDPOINT (--spicedb-endpoint), SPICEDB_TOKEN (--spicedb-token)")
}

func TestReady(t *testing.T) {
	status, body := http.StatusOK, `{"status":"ready"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
		if _, err := io.WriteString(w, body); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	env := map[string]string{"SHAPEGATE_ADMIN_LISTEN": server.Listener.Addr().String()}

	shapegate(t, env, "", "ready").expect(t, 0, "ready\n", "")
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	shapegate(t, nil, "", "ready", "--admin-listen", "0.0.0.0:"+port).expect(t, 0, "ready\n", "")
	status, body = http.StatusServiceUnavailable, `{"status":"not ready","reasons":["SpiceDB is away","so is Electric"]}`
	shapegate(t, env, "", "ready").expect(t, 1, "", "shapegate: not ready (status 503):\n  SpiceDB is away\n  so is Electric\n")
	body = "an answer of another program"
	shapegate(t, env, "", "ready").expect(t, 1, "", "shapegate: not ready (status 503)\n")
	shapegate(t, nil, "", "ready", "--admin-listen", freePort(t)).expect(t, 2, "", "refused")
}

func TestReadyDoesNotWaitForever(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // never accepts
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	begin := time.Now()
	shapegate(t, nil, "", "ready", "--timeout", "50ms", "--admin-listen", listener.Addr().String()).expect(t, 2, "", "deadline")
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestVersion(t *testing.T) {
	shapegate(t, nil, "", "version").expect(t, 0, "shapegate ", "")
	info := &debug.BuildInfo{GoVersion: "go1.26", Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"},
	}}
	if got, want := version(info, true), "shapegate (devel), commit abc with changes, go1.26"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is wrong with a command line is said with what is wanted, and an example.
func TestWrongUsage(t *testing.T) {
	for args, want := range map[string]string{
		"":                        "give one of the commands check, check-config, ",
		"surf":                    `there is no command "surf": there are check, check-config, `,
		"shema read":              `there is no command "shema", did you mean "schema"?`,
		"schema":                  "give one of the commands read, write: see shapegate schema --help",
		"schema surf":             `there is no command "surf": there are read, write`,
		"schema write":            "write wants FILE, as in\n  shapegate schema write schema.zed",
		"relationship":            "give one of the commands delete, read, touch: see shapegate relationship --help",
		"relationship read":       "read wants FILTER, as in\n  shapegate relationship read document@user:alice",
		"check user:alice":        "check wants SUBJECT PERMISSION RESOURCE, as in\n  shapegate check user:alice view document:1",
		"token":                   "token wants PERSON, as in\n  shapegate token bob",
		"token a b":               "token wants PERSON, as in\n  shapegate token bob",
		"explain":                 "explain wants --subject SUBJECT --shape SHAPE --id ID, as in\n  shapegate explain --subject user:bob ",
		"explain --shape x":       "explain wants --subject SUBJECT --shape SHAPE --id ID, as in\n",
		"shapes":                  "shapes wants --subject SUBJECT, as in\n  shapegate shapes --subject user:bob",
		"version x":               `version takes no arguments, and there is "x": see shapegate version --help`,
		"check-config x":          `check-config takes no arguments, and there is "x": see shapegate check-config --help`,
		"serve x":                 `serve takes no arguments, and there is "x": see shapegate serve --help`,
		"ready x":                 `ready takes no arguments, and there is "x": see shapegate ready --help`,
		"--nope":                  "unknown flag: --nope: see shapegate --help",
		"serve --spicedb-endpont": "unknown flag: --spicedb-endpont, did you mean --spicedb-endpoint? See shapegate serve --help",
		"serve --listen":          "flag needs an argument: --listen: see shapegate serve --help",
	} {
		got := shapegate(t, nil, "", strings.Fields(args)...)
		if got.code != 2 || !strings.HasPrefix(got.stderr, "shapegate: "+want) || strings.Contains(got.stderr, "arg(s)") {
			t.Errorf("%s: exit code %d, %s; want 2 and %s", args, got.code, got.stderr, want)
		}
	}
}
