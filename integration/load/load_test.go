package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// The tool starts itself for its children, and in a test that is this program.
func TestMain(m *testing.M) {
	if os.Getenv(child.Env) != "" {
		os.Exit(run())
	}
	// A child that the race detector watches would sleep for a second in the end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	// What the engine's packages start as they are loaded is no leak.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// small is a world in which everything takes but a moment.
var small = []string{"--clients=6", "--people=3", "--ids=2", "--withheld=3"}

func TestEachCommandMeasures(t *testing.T) {
	for _, c := range []struct {
		args []string
		says []string
	}{
		{
			append([]string{"fanout", "--samples=2", "--pause=0s", "--gzip"}, small...),
			[]string{"6 clients, p99", "bare", "relay", "6 clients, requests open at Electric"},
		},
		{
			append([]string{"invisible", "--rate=100", "--for=300ms"}, small...),
			[]string{"6 clients, changes a second", "6 clients, answers before the timeout 0 idle 0 - 0, met", "cores of shapegate"},
		},
		{
			append([]string{"selective", "--see=2", "--samples=3"}, small...),
			[]string{"2 of 6 clients, p99", "alone"},
		},
		{
			append([]string{"memory", "--holders=2", "--held=5", "--universe=10"}, small...),
			[]string{"6 clients, each, RSS", "a person with 5 of 10 ids, heap"},
		},
		{
			[]string{"catchup", "--concurrency=2", "--for=100ms", "--people=2", "--ids=2", "--lag=3"},
			[]string{"caught up", "3 messages behind", "Electric"},
		},
		{
			[]string{"firstsync", "--rows=700", "--withheld=10", "--samples=2", "--gzip"},
			[]string{"a first read of 701 rows", "all of it, p50", "the body's first byte, p50", "Electric"},
		},
		{
			[]string{"created", "--clients=6", "--samples=2", "--pause=0s"},
			[]string{"6 clients, p99", "bare", "6 clients, calls to SpiceDB for each document", "6 clients, requests to Electric for each document"},
		},
		{
			[]string{"permissions", "--holders=4", "--held=5", "--groups=2", "--samples=2", "--wide=50", "--reads=1"},
			[]string{"a collection of the same permission: given, p50", "a collection of two: taken, p99", "shape alone", "50 objects, 0.0 MB: a first read, p50", "LookupResources"},
		},
		{
			[]string{"permissions", "--holders=4", "--held=5", "--groups=2", "--samples=2", "--reads=0", "--plain", "--http2"},
			[]string{"a collection of the same permission: given, p50", "a collection of two: its client and its ids"},
		},
		{
			[]string{"growth", "--times=1", "--clients=4", "--base-people=2", "--base-ids=1", "--base-rows=3", "--samples=1", "--for=100ms"},
			[]string{"| people x1 | 4 clients, p99 |", "| `go run ./integration/load fanout --clients 4 --people 2 --samples 1` |", "| rows x1 | all of it, p50 |"},
		},
	} {
		t.Run(c.args[0], func(t *testing.T) { measure(t, c.args, c.says...) })
	}
}

func TestAllOfThemMakeOneReport(t *testing.T) {
	args := []string{"all", "--samples=1", "--pause=0s", "--rate=100", "--for=100ms", "--holders=1", "--held=2", "--rows=5", "--concurrency=2"}
	measure(t, append(args, small...), "fanout:", "invisible:", "selective:", "memory:", "catchup:", "firstsync:", "a first read of 6 rows")
}

// TestAShapegateThatRunsIsMeasured starts one, and what is behind it, and names
// them to the tool as its users do.
func TestAShapegateThatRunsIsMeasured(t *testing.T) {
	const secret = "a secret for tests, at least 32 bytes long"
	start := func(args ...string) *child.Process {
		p, err := child.Start(t.Context(), t.Output(), []string{"SHAPEGATE_JWT_SECRET=" + secret, "SPICEDB_TOKEN=spicedbtest"}, args...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Errorf("%s: %v", args[0], err)
			}
		})
		return p
	}
	backend := start("backend")
	gate := start("proxy", "--electric-url="+backend.URL, "--spicedb-endpoint="+backend.SpiceDB, "--spicedb-insecure")
	args := []string{
		"fanout", "--samples=2", "--pause=0s", "--url=" + gate.URL, "--jwt-secret=" + secret,
		"--spicedb-endpoint=" + backend.SpiceDB, "--spicedb-token=" + backend.Token, "--spicedb-insecure",
		"--sql-url=" + backend.Control + "/sql", "--each=group:readers#member@user:" + world.PersonMark,
	}
	measure(t, append(args, small...), "6 clients, p99", "bare")
	args = append(args, "--metrics-url="+gate.Metrics, "--electric-url="+backend.URL)
	measure(t, append(args, small...), "6 clients, p99", "bare", "relay")
}

// measure runs the tool, and looks for what its report must say.
func measure(t *testing.T, args []string, says ...string) {
	t.Helper()
	c := newCommand(func(string) string { return "" })
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(t.Output())
	c.SetArgs(args)
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	words := strings.Join(strings.Fields(out.String()), " ")
	for _, text := range says {
		if !strings.Contains(words, text) {
			t.Errorf("no %q in\n%s", text, &out)
		}
	}
}

func TestOptionsHaveToGoTogether(t *testing.T) {
	for _, args := range [][]string{
		{"fanout", "--clients=0"},
		{"fanout", "--clients="},
		{"fanout", "--people=0"},
		{"fanout", "--pause=-1s"},
		{"fanout", "--electric-url=http://localhost:3000"},
		{"fanout", "--url=http://localhost:8080/v1/shapes/documents"},
		{"fanout", "--clients=1000000000"},
		{"invisible", "--withheld=0"},
		{"invisible", "--for=0s"},
		{"selective", "--see=0"},
		{"memory", "--held=2", "--universe=1"},
		{"created", "--samples=0"},
		{"created", "--url=http://localhost:8080/v1/shapes/documents"},
		{"permissions", "--groups=0"},
		{"permissions", "--url=http://localhost:8080/v1/shapes/documents"},
		{"catchup", "--concurrency=0"},
		{"firstsync", "--samples=0"},
		{"growth", "--base-rows=0"},
		{"nothing"},
	} {
		c := newCommand(func(string) string { return "" })
		c.SetArgs(args)
		if err := c.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%v were accepted", args)
		}
	}
}
