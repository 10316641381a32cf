package spicedb

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

const clearanceSchema = `
definition user {}

caveat cleared(level int, needed int) {
	level >= needed
}

caveat tagged(tags list<string>, wanted string, limit double) {
	wanted in tags && limit > 1.0
}

caveat first(tags list<string>, wanted string) {
	tags[0] == wanted
}

definition document {
	relation viewer: user | user with cleared | user with tagged | user with first
	relation editor: user
	permission view = viewer + editor
}
`

// A claim of another type than a caveat wants, or one that a caveat fails on, denies what
// needs it and nothing else.
func TestAClaimThatACaveatCannotTakeDeniesWhatNeedsItAlone(t *testing.T) {
	relationships := []string{
		"document:plain#viewer@user:alice",
		`document:secret#viewer@user:alice[cleared:{"needed":3}]`,
		`document:both#viewer@user:alice[cleared:{"needed":3}]`, "document:both#editor@user:alice",
		`document:tagged#viewer@user:alice[tagged:{"wanted":"x"}]`,
		`document:first#viewer@user:alice[first:{"wanted":"x"}]`,
	}
	plain := []string{"both", "plain"}
	all := []string{"both", "first", "plain", "secret", "tagged"}
	good := map[string]any{"level": 5, "tags": []any{"x"}, "limit": 2.5}
	with := func(key string, value any) map[string]any {
		return map[string]any{"level": good["level"], "tags": good["tags"], "limit": good["limit"], key: value}
	}
	without := func(ids ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return slices.Contains(ids, id) })
	}
	tests := []struct {
		values map[string]any
		want   []string
	}{
		{nil, plain},
		{good, all},
		{with("level", "high"), without("secret")},
		{with("level", 5.5), without("secret")},
		{with("level", []any{5}), without("secret")},
		{with("level", map[string]any{}), without("secret")},
		{with("level", true), without("secret")},
		{with("tags", "x"), without("tagged", "first")},
		{with("tags", []any{}), without("tagged", "first")},                     // first fails on it
		{map[string]any{"level": "high", "tags": "x", "limit": []any{}}, plain}, // all of them
	}
	for version, name := range versions {
		s := spicedbtest.Start(t, spicedbtest.Config{Schema: clearanceSchema, Relationships: relationships, LookupResourcesVersion: name})
		c := dial(t, testConfig(s))
		for _, tt := range tests {
			t.Run(fmt.Sprint(version, " ", tt.values), func(t *testing.T) {
				got, err := lookup(t.Context(), c, user("alice"), tt.values)
				must(t, err)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("lookup (-want +got):\n%s", diff)
				}
				checks := make([]authz.Check, len(all))
				for i, id := range all {
					checks[i] = checkOf("alice", id, tt.values)
				}
				results, _, err := c.CheckPermissions(t.Context(), checks)
				must(t, err)
				var checked []string
				for i, held := range held(t, results) {
					if held {
						checked = append(checked, all[i])
					}
				}
				if diff := cmp.Diff(tt.want, checked); diff != "" {
					t.Errorf("checks (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// What a relationship itself brings cannot be left out.
func TestARelationshipThatACaveatCannotTakeIsUnanswerableAlone(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: clearanceSchema, Relationships: []string{
		"document:plain#viewer@user:alice", `document:odd#viewer@user:alice[first:{"wanted":"x","tags":[]}]`,
	}})
	c := dial(t, testConfig(s))
	values := map[string]any{"level": 5}
	results, _, err := c.CheckPermissions(t.Context(), []authz.Check{checkOf("alice", "plain", values), checkOf("alice", "odd", values)})
	must(t, err)
	if !results[0].Held || results[1].Held || results[1].Err == nil {
		t.Errorf("%v", results)
	}
}
