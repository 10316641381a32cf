package docs_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
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

const example = "schema/example"

func TestREADMEQuotesTheExample(t *testing.T) {
	t.Chdir(root)
	readme := read(t, "README.md")
	for name, fence := range map[string]string{"todo.zed": "```zed\n", "todo.yaml": "```yaml\n", "todo.relationships": "```\n"} {
		if text := read(t, filepath.Join(example, name)); !strings.Contains(readme, fence+text+"```\n") {
			t.Errorf("README has something else than %s/%s", example, name)
		}
	}
}

// Ben sees the two todos of home, and with one more relationship that of work too.
func TestTheExampleDoesWhatREADMESays(t *testing.T) {
	t.Chdir(root)
	lines, err := spicedb.ParseLines("todo.relationships", read(t, example+"/todo.relationships"))
	if err != nil {
		t.Fatal(err)
	}
	var relationships []string
	for _, line := range lines {
		relationships = append(relationships, line.Relationship.String())
	}
	engine := spicedbtest.Start(t, spicedbtest.Config{
		Schema: read(t, example+"/todo.zed"), Relationships: relationships, ListenAddr: "127.0.0.1:0",
	})
	tables := electrictest.New(electrictest.Options{})
	t.Cleanup(tables.Close)
	if _, err := tables.Exec(read(t, example+"/todo.sql")); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(tables)
	t.Cleanup(upstream.Close)
	shapes, err := schema.Load(example + "/todo.yaml")
	if err != nil {
		t.Fatal(err)
	}

	keys := identity.Config{Secret: []byte(strings.Repeat("k", 32))}
	spice := spicedb.Config{Endpoint: engine.Addr(), Token: engine.Token(), Insecure: true}
	g, err := gateway.New(gateway.Config{
		Shapes: shapes, SpiceDB: spice, Electric: electric.Config{URL: upstream.URL},
		Identity: keys, Secret: keys.Secret, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, g)
	front := httptest.NewServer(g.Handler())
	t.Cleanup(front.Close)
	token, err := keys.Sign("ben", nil, time.Minute)
	if err != nil {
		t.Fatal(err)
	}

	if got, want := titles(t, front.URL, token, ""), []string{"Buy milk", "Fix the tap"}; !slices.Equal(got, want) {
		t.Errorf("ben sees %q, want %q", got, want)
	}
	admin, err := spicedb.Dial(spice)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	relationship, err := spicedb.ParseRelationship("list:work#member@user:ben")
	if err != nil {
		t.Fatal(err)
	}
	written, err := admin.WriteRelationships(t.Context(), spicedb.Update{Operation: spicedb.Touch, Relationship: relationship})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := titles(t, front.URL, token, written), []string{"Buy milk", "Fix the tap", "Write the report"}; !slices.Equal(got, want) {
		t.Errorf("with the list work, ben sees %q, want %q", got, want)
	}
}

// run runs the gateway until the test ends, and returns when it is ready.
func run(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ran
		_ = g.Close()
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		err := g.Ready(t.Context())
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// titles are the titles of the todos that a first read sends, sorted. With a ZedToken the
// answer has seen its write.
func titles(t *testing.T, url, token, zedToken string) (all []string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/shapes/todos?offset=-1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if zedToken != "" {
		request.Header.Set("Shapegate-At-Least-As-Fresh", zedToken)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", answer.Status, body, err)
	}
	var messages []struct{ Value struct{ Title string } }
	if err := json.Unmarshal(body, &messages); err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if m.Value.Title != "" {
			all = append(all, m.Value.Title)
		}
	}
	slices.Sort(all)
	return all
}
