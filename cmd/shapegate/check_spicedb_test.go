package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

func TestHintsAboutSpiceDB(t *testing.T) {
	for _, test := range []struct {
		server spicedbServer
		line   string
		hints  []string // what each says
	}{
		{spicedbServer{version: "v1.56.2", heartbeat: true, canary: true}, "SpiceDB v1.56.2, with the heartbeat's definition", nil},
		{spicedbServer{version: "v1.50.0", heartbeat: true, canary: true}, "SpiceDB v1.50.0, with", []string{"upgrade it to v1.51.1"}},
		{spicedbServer{heartbeat: true, canary: true}, "SpiceDB of an unknown version, with", []string{"--disable-version-response"}},
		{spicedbServer{version: "v1.56.2"}, "SpiceDB v1.56.2, without", []string{"has no definition shapegate_canary"}},
		{spicedbServer{version: "v1.56.2", canary: true}, "SpiceDB v1.56.2, without", []string{"Make it:\ndefinition shapegate_canary {"}},
	} {
		if !strings.HasPrefix(test.server.String(), test.line) {
			t.Errorf("got %q, want %q", test.server, test.line)
		}
		if !slices.EqualFunc(test.server.hints(), test.hints, strings.Contains) {
			t.Errorf("%s: got %q, want %q", test.line, test.server.hints(), test.hints)
		}
	}
}

// A hint changes no exit code, and following it ends it.
func TestCheckConfigSpeaksOfTheHeartbeat(t *testing.T) {
	without, _, ok := strings.Cut(demo.Schema, "/** Each process of shapegate")
	if !ok {
		t.Fatal("the demo's schema has another heartbeat")
	}
	check := func(schema string) result {
		env := startSpiceDB(t, spicedbtest.Config{Schema: schema})
		return shapegate(t, env, "", "check-config", "--shapes", "../../schema/shapes.yaml")
	}
	check(without).expect(t, 0, "without the heartbeat's definition\nok: 5 shapes", "hint: SpiceDB's schema has no definition shapegate_canary")
	check(without+"definition shapegate_canary {}").expect(t, 0, "without the heartbeat", "hint: the definition shapegate_canary lacks the relation")
	if got := check(without + spicedb.HeartbeatSchema); got.code != 0 || strings.Contains(got.stderr, "canary") {
		t.Errorf("put right: %d %s", got.code, got.stderr)
	}
}
