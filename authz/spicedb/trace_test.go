package spicedb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

// told traces a check, and says what the trace means.
func told(t *testing.T, c *Client, check authz.Check) explain.Check {
	t.Helper()
	answer, err := c.Trace(t.Context(), check, "")
	must(t, err)
	if answer.At == "" {
		t.Error("no revision")
	}
	return explain.Tell(check, answer)
}

func view(subject, id string, values map[string]any) authz.Check {
	return authz.Check{Subject: user(subject).ObjectRef, Resource: document(id), Permission: "view", Context: values}
}

// What is told of the real engine's traces is how the relationships are.
func TestTrace(t *testing.T) {
	c := dial(t, testConfig(startServer(t, "", testRelationships)))
	onNetwork := func(result explain.CaveatResult, missing ...string) explain.Caveat {
		values := map[string]any{"allowed": []any{"office"}}
		if result == explain.CaveatFalse {
			values["network"] = "home"
		}
		return explain.Caveat{Name: "on_network", Expression: "network in allowed", Result: result, Context: values, Missing: missing}
	}
	for name, test := range map[string]struct {
		check authz.Check
		held  bool
		want  explain.Check
	}{
		"direct":   {view("alice", "direct", nil), true, explain.Check{Paths: []explain.Path{{"document:direct", "viewer", "user:alice"}}}},
		"by group": {view("alice", "bygroup", nil), true, explain.Check{Paths: []explain.Path{{"document:bygroup", "viewer", "group:all#member", "member", "group:staff#member", "member", "user:alice"}}}},
		"parent":   {view("alice", "byproject", nil), true, explain.Check{Paths: []explain.Path{{"document:byproject", "project", "project:apollo", "member", "user:alice"}}}},
		"wildcard": {view("bob", "public", nil), true, explain.Check{Paths: []explain.Path{{"document:public", "viewer", "user:*"}}}},
		"excluded": {view("alice", "excluded", nil), false, explain.Check{
			Paths: []explain.Path{{"document:excluded", "viewer", "user:alice"}}, ExcludedBy: []explain.Path{{"document:excluded", "banned", "user:alice"}}}},
		"caveat true": {view("alice", "office", map[string]any{"network": "office"}), true, explain.Check{Paths: []explain.Path{{"document:office", "viewer", "user:alice[on_network]"}}}},
		"caveat false": {view("alice", "office", map[string]any{"network": "home"}), false, explain.Check{
			Caveats: []explain.CaveatOn{{Path: explain.Path{"document:office", "viewer", "user:alice[on_network]"}, Caveat: onNetwork(explain.CaveatFalse)}}}},
		"context missing": {view("alice", "office", nil), false, explain.Check{
			Caveats: []explain.CaveatOn{{Path: explain.Path{"document:office", "viewer", "user:alice[on_network]"}, Caveat: onNetwork(explain.CaveatMissing, "network")}}}},
		"a value of another type": {view("alice", "office", map[string]any{"network": 7}), false, explain.Check{
			Caveats:        []explain.CaveatOn{{Path: explain.Path{"document:office", "viewer", "user:alice[on_network]"}, Caveat: onNetwork(explain.CaveatMissing, "network")}},
			IgnoredContext: []string{"network"}}},
		"nothing": {view("carol", "bygroup", nil), false, explain.Check{Tried: []string{"document:bygroup#viewer", "group:all#member", "group:staff#member"}}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Object, test.want.Permission, test.want.Held = test.check.Resource.String(), "view", test.held
			test.want.Expression = "viewer + project->view - banned" // as SpiceDB prints it
			got := told(t, c, test.check)
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// SpiceDB looks at the groups of a document in one step. The path names the one that
// leads to the subject.
func TestTraceFindsTheOneOfManyObjects(t *testing.T) {
	relationships := []string{"group:g7#member@group:core#member", "group:core#member@user:alice"}
	for _, id := range []string{"g1", "g2", "g7", "g9"} {
		relationships = append(relationships, "document:d#viewer@group:"+id+"#member", "group:"+id+"#member@user:bob")
	}
	c := dial(t, testConfig(startServer(t, "", relationships)))
	got := told(t, c, view("alice", "d", nil))
	want := []explain.Path{{"document:d", "viewer", "group:g7#member", "member", "group:core#member", "member", "user:alice"}}
	if diff := cmp.Diff(want, got.Paths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = told(t, c, view("carol", "d", nil))
	if tried := []string{"document:d#viewer", "group:g1#member", "group:g2#member", "group:g7#member", "group:g9#member"}; !cmp.Equal(tried, got.Tried) {
		t.Errorf("tried %v", got.Tried)
	}
}

// A trace is of the revision that it is asked for.
func TestTraceAtARevision(t *testing.T) {
	server := startServer(t, "", testRelationships)
	c := dial(t, testConfig(server))
	before, err := c.Trace(t.Context(), view("bob", "direct", nil), "")
	must(t, err)
	must(t, server.Touch(t.Context(), "document:direct#viewer@user:bob"))
	for at, held := range map[authz.ZedToken]bool{"": true, before.At: false} {
		answer, err := c.Trace(t.Context(), view("bob", "direct", nil), at)
		must(t, err)
		if answer.Held != held {
			t.Errorf("at %q: %v", at, answer.Held)
		}
	}
	_, err = c.Trace(t.Context(), view("bob", "direct", nil), "nonsense")
	wantKind(t, err, authz.Invalid)
}

func TestTraceThatCannotBe(t *testing.T) {
	c := dial(t, testConfig(spicedbtest.Start(t, spicedbtest.Config{Schema: testSchema, Relationships: []string{
		"group:a#member@group:b#member", "group:b#member@group:a#member", "document:cycle#viewer@group:a#member",
	}})))
	_, err := c.Trace(t.Context(), view("alice", "cycle", nil), "")
	wantKind(t, err, authz.Unanswerable)
	_, err = c.Trace(t.Context(), authz.Check{Subject: user("alice").ObjectRef, Resource: document("x"), Permission: "nope"}, "")
	wantKind(t, err, authz.Unanswerable)
	_, err = c.Trace(t.Context(), view("*", "x", nil), "")
	wantKind(t, err, authz.Invalid)
	_, err = c.Trace(t.Context(), view("alice", "x", map[string]any{"network": func() {}}), "")
	if wantKind(t, err, authz.Invalid); !strings.Contains(err.Error(), "JSON") {
		t.Error(err)
	}
}

// A caveat may be on any relationship of the path. Of several sets, the path names one that
// counts.
func TestTraceOfCaveatsOnTheWay(t *testing.T) {
	const schema = `
caveat cleared(clearance int, required int) {
	clearance >= required
}
definition user {}
definition group {
	relation member: user
}
definition project {
	relation viewer: user
	permission view = viewer
}
definition document {
	relation project: project with cleared
	relation viewer: group#member | group#member with cleared | user with cleared
	permission view = viewer + project->view
}`
	required := `[cleared:{"required":2}]`
	c := dial(t, testConfig(spicedbtest.Start(t, spicedbtest.Config{Schema: schema, Relationships: []string{
		"document:arrow#project@project:p" + required, "project:p#viewer@user:bob",
		"group:a#member@user:bob", "group:b#member@user:bob",
		"document:sets#viewer@group:a#member" + required, "document:sets#viewer@group:b#member",
		"document:set#viewer@group:a#member" + required,
	}})))
	low, high := map[string]any{"clearance": 1}, map[string]any{"clearance": 2}
	for name, test := range map[string]struct {
		check   authz.Check
		paths   []explain.Path
		caveats []explain.Path
	}{
		"an arrow that counts":     {view("bob", "arrow", high), []explain.Path{{"document:arrow", "project", "project:p", "viewer", "user:bob"}}, nil},
		"an arrow that does not":   {view("bob", "arrow", low), nil, []explain.Path{{"document:arrow", "project", "project:p", "viewer", "user:bob"}}},
		"an arrow that lacks":      {view("bob", "arrow", nil), nil, []explain.Path{{"document:arrow", "project", "project:p", "viewer", "user:bob"}}},
		"a set that counts":        {view("bob", "set", high), []explain.Path{{"document:set", "viewer", "group:a#member[cleared]", "member", "user:bob"}}, nil},
		"a set that does not":      {view("bob", "set", low), nil, []explain.Path{{"document:set", "viewer", "group:a#member[cleared]", "member", "user:bob"}}},
		"one of two sets":          {view("bob", "sets", low), []explain.Path{{"document:sets", "viewer", "group:b#member", "member", "user:bob"}}, nil},
		"one of two sets, without": {view("bob", "sets", nil), []explain.Path{{"document:sets", "viewer", "group:b#member", "member", "user:bob"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := told(t, c, test.check)
			var caveats []explain.Path
			for _, on := range got.Caveats {
				caveats = append(caveats, on.Path)
			}
			if diff := cmp.Diff(test.paths, got.Paths, cmpopts.EquateEmpty()); diff != "" || got.Held != (test.paths != nil) {
				t.Errorf("held %v (-want +got):\n%s", got.Held, diff)
			}
			if diff := cmp.Diff(test.caveats, caveats, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("caveats (-want +got):\n%s", diff)
			}
		})
	}
}
