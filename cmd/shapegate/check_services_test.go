package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/shapegate/shapegate/integration/prerequisite"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

// program finds an outside program. Without it the test is skipped, or fails where nothing
// may be skipped.
func program(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	prerequisite.Missing(t, name+" is not on PATH")
	return ""
}

// runServer runs a server until the end of the test, and returns when answers says that it
// is there.
func runServer(t *testing.T, answers func(context.Context) error, name string, args ...string) {
	t.Helper()
	server := exec.Command(name, args...)
	server.Dir = "/"
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s does not answer: %v", name, err)
		case <-tick.C:
		}
	}
}

func checkConfig(t *testing.T, env map[string]string) result {
	t.Helper()
	return shapegate(t, env, "", "check-config", "--shapes", "../../schema/shapes.yaml")
}

// A node of a cluster takes the keys of its slots alone.
func TestCheckConfigTellsAClusterFromAServer(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	redisServer := program(t, "redis-server")
	_, port, _ := net.SplitHostPort(freePort(t))
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	defer client.Close()
	runServer(t, func(ctx context.Context) error { return client.ClusterAddSlotsRange(ctx, 0, 16383).Err() },
		redisServer, "--port", port, "--cluster-enabled", "yes", "--save", "", "--dir", t.TempDir(), "--cluster-announce-ip", "127.0.0.1")

	checkConfig(t, with(env, "REDIS_URL", "redis://:@127.0.0.1:"+port)).
		expect(t, 1, "", "REDIS_URL names one server, which is a node of a cluster and refuses the keys of the other nodes, so that sessions fail; name the cluster: add ?cluster=true to the URL")
	checkConfig(t, with(env, "REDIS_URL", "redis://127.0.0.1:"+port+"?cluster=true")).expect(t, 0, "ok: 5 shapes", "")
	checkConfig(t, with(env, "REDIS_URL", "redis://"+miniredis.RunT(t).Addr())).expect(t, 0, "ok: 5 shapes", "")
	checkConfig(t, with(env, "REDIS_URL", "redis://"+freePort(t))).expect(t, 2, "", "shapegate: ask Redis (REDIS_URL): ")
}

// Reads of rows by their ids need an index, of which only Postgres knows.
func TestCheckConfigLooksForIndexes(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	url := startPostgres(t, demo.SQL)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	env["DATABASE_URL"] = url
	const hint = `shapes.project_feed.authorize.filter[0].column: no index begins with the column "project_id", so that Postgres reads all of the table for each read of rows by their ids: CREATE INDEX ON public.documents (project_id)`
	got := checkConfig(t, env)
	got.expect(t, 0, "ok: 5 shapes, 1 collection of grants\nnot checked: the tables and columns (ELECTRIC_URL is not set)\n", hint)
	if n := strings.Count(got.stderr, "no index begins"); n != 1 {
		t.Errorf("%d hints, and the other columns begin their keys: %s", n, got.stderr)
	}
	if _, err := conn.Exec(t.Context(), "CREATE INDEX ON public.documents (project_id)"); err != nil {
		t.Fatal(err)
	}
	if got := checkConfig(t, env); got.code != 0 || strings.Contains(got.stderr, "index") {
		t.Errorf("put right: %d %s", got.code, got.stderr)
	}
	const password = "hunter2"
	for _, url := range []string{"postgres://u:" + password + "@127.0.0.1:1/x", "postgres://u:" + password + "@%zz"} {
		got := checkConfig(t, with(env, "DATABASE_URL", url))
		got.expect(t, 2, "", "shapegate: ask Postgres (DATABASE_URL) about the indexes: ")
		if strings.Contains(got.stderr, password) {
			t.Errorf("it shows the password: %s", got.stderr)
		}
	}
}

// Each part that gives no answer has a line of its own, in which stands what to do.
func TestCheckConfigNamesEachPartThatIsAway(t *testing.T) {
	away := freePort(t)
	got := shapegate(t, map[string]string{
		"SHAPEGATE_SHAPES": "../../schema/shapes.yaml", "SPICEDB_ENDPOINT": away, "SPICEDB_TOKEN": "hunter2", "SPICEDB_INSECURE": "true",
		"ELECTRIC_URL": "http://" + away, "ELECTRIC_SECRET": "hunter2", "REDIS_URL": "redis://:hunter2@" + away + "/0",
		"DATABASE_URL": "postgres://demo:hunter2@" + away + "/demo?sslmode=disable",
	}, "", "check-config")
	lines := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
	want := []string{
		"shapegate: the permissions could not be checked (--offline leaves them out): reflect schema: SpiceDB does not answer: see SPICEDB_ENDPOINT",
		"ask Electric (ELECTRIC_URL) about the tables: ", "ask Postgres (DATABASE_URL) about the indexes: ", "ask Redis (REDIS_URL): ",
	}
	if got.code != exitNoAnswer || !slices.EqualFunc(lines, want, strings.HasPrefix) || strings.Contains(got.stderr, "hunter2") {
		t.Errorf("%d:\n%s", got.code, got.stderr)
	}
}
