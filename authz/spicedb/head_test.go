package spicedb

import (
	"fmt"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

func TestHeadSaysWhetherTheSchemaHasTheHeartbeatDefinition(t *testing.T) {
	for name, tt := range map[string]struct {
		schema string
		want   bool
	}{
		"no schema":        {"", false},
		"another schema":   {testSchema, false},
		"with it":          {testSchema + HeartbeatSchema, true},
		"nothing else":     {HeartbeatSchema, true},
		"among others":     {"definition user {}\ndefinition shapegate_canary {\nrelation beat: user | shapegate_canary\n}", true},
		"longer name":      {"definition shapegate_canary_bird {\nrelation beat: shapegate_canary_bird\n}", false},
		"another relation": {"definition shapegate_canary {\nrelation beats: shapegate_canary\n}", false},
		"another subject":  {"definition user {}\ndefinition shapegate_canary {\nrelation beat: user\n}", false},
		"wildcard":         {"definition shapegate_canary {\nrelation beat: shapegate_canary:*\n}", false},
		"userset":          {"definition shapegate_canary {\nrelation beat: shapegate_canary#beat\n}", false},
		"permission":       {"definition shapegate_canary {\nrelation beats: shapegate_canary\npermission beat = beats\n}", false},
		"caveated":         {"caveat on(x int) { x > 0 }\ndefinition shapegate_canary {\nrelation beat: shapegate_canary with on\n}", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := spicedbtest.Start(t, spicedbtest.Config{Schema: tt.schema})
			at, heartbeat, err := dial(t, testConfig(s)).Head(t.Context())
			must(t, err)
			if heartbeat != tt.want || at == "" {
				t.Errorf("heartbeat definition %v at %q", heartbeat, at)
			}
		})
	}
}

func TestHeadIsTheNewestRevision(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	for i := range 10 {
		must(t, s.Touch(t.Context(), fmt.Sprintf("document:before%d#viewer@user:alice", i)))
		at, _, err := c.Head(t.Context())
		must(t, err)
		must(t, s.Touch(t.Context(), fmt.Sprintf("document:after%d#viewer@user:alice", i)))
		w := startWatch(t, c, at)
		first := w.until(t, func(e authz.WatchEvent) bool { return len(e.Updates) > 0 })
		want := fmt.Sprintf("+document:after%d#viewer@user:alice", i)
		if got := describe(first[len(first)-1:]); len(got) != 1 || got[0] != want {
			t.Fatalf("a watch from it begins with %q, want %q", got, want)
		}
	}
	s.Pause()
	at, _, err := c.Head(t.Context())
	wantKind(t, err, authz.Unavailable)
	if at != "" {
		t.Error("a revision of a server that is away")
	}
}

// The revision of a server without a schema is one to watch from: its first
// schema comes in the watch.
func TestTheFirstSchemaIsWatched(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{})
	c := dial(t, testConfig(s))
	at, _, err := c.Head(t.Context())
	must(t, err)
	w := startWatch(t, c, at)
	must(t, s.WriteSchema(t.Context(), testSchema))
	w.until(t, func(e authz.WatchEvent) bool { return e.SchemaChanged })
}
