package spicedb

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

var sortedStrings = cmpopts.SortSlices(func(a, b string) bool { return a < b })

func TestParseRelationship(t *testing.T) {
	ref := func(typ, id string) authz.ObjectRef { return authz.ObjectRef{Type: typ, ID: id} }
	readme, alice := ref("document", "readme"), ref("user", "alice")
	tests := []struct {
		text string
		want Relationship
	}{
		{"document:readme#viewer@user:alice", Relationship{Resource: readme, Relation: "viewer", Subject: alice}},
		{"document:readme#viewer@user:*", Relationship{Resource: readme, Relation: "viewer", Subject: ref("user", "*")}},
		{
			"tenant/document:a|b/c-d=+_#viewer@tenant/group:g#member",
			Relationship{
				Resource: ref("tenant/document", "a|b/c-d=+_"), Relation: "viewer",
				Subject: ref("tenant/group", "g"), SubjectRelation: "member",
			},
		},
		{
			"document:readme#viewer@user:alice[on_network]",
			Relationship{Resource: readme, Relation: "viewer", Subject: alice, Caveat: "on_network"},
		},
		{
			`document:readme#viewer@user:alice[on_network:{"allowed":["a]b","[expiration:"]}][expiration:2030-01-02T03:04:05Z]`,
			Relationship{
				Resource: readme, Relation: "viewer", Subject: alice, Caveat: "on_network",
				CaveatContext: map[string]any{"allowed": []any{"a]b", "[expiration:"}},
				Expires:       time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
			},
		},
		{
			"document:readme#viewer@user:alice[expiration:2030-01-02T03:04:05Z]",
			Relationship{
				Resource: readme, Relation: "viewer", Subject: alice,
				Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
			},
		},
	}
	for _, tt := range tests {
		got, err := ParseRelationship(" " + tt.text + "\n")
		must(t, err)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
		if got.String() != tt.text {
			t.Errorf("printed as %s, want %s", got, tt.text)
		}
	}
	for _, text := range []string{
		"", "document:readme", "document:readme#viewer", "document#viewer@user:alice",
		"document:*#viewer@user:alice", "document:readme#@user:alice", "document:readme#viewer@user",
		"document:readme#viewer@user:*#member", "document:readme#viewer@group:g#",
		"document:readme#viewer@user:alice[", "document:readme#viewer@user:alice[]",
		"document:readme#viewer@user:alice[on_network", "document:readme#viewer@user:alice[on_network:]",
		"document:readme#viewer@user:alice[on_network:[]]", "document:readme#viewer@user:alice[on_network:null]",
		"document:readme#viewer@user:alice[on_network]x", "document:readme#viewer@user:alice[expiration:soon]",
		"document:readme#viewer@user:alice[expiration:2030-01-02T03:04:05Z", "document:re adme#viewer@user:alice",
		"document:readme#viewer@user:alice[expiration:2030-01-02T03:04:05Z][on_network]",
	} {
		if r, err := ParseRelationship(text); authz.KindOf(err) != authz.Invalid || err == nil {
			t.Errorf("%q was read as %v, %v", text, r, err)
		}
	}
}

func FuzzParseRelationship(f *testing.F) {
	f.Add("document:readme#viewer@user:alice")
	f.Add(`document:a#viewer@group:b#member[caveat:{"x":[1,"]"]}][expiration:2030-01-02T03:04:05Z]`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRelationship(text)
		if err != nil {
			return
		}
		again, err := ParseRelationship(r.String())
		if err != nil {
			t.Fatalf("%q is printed as %q, which is refused: %v", text, r, err)
		}
		if diff := cmp.Diff(r, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%q changes when it is printed:\n%s", text, diff)
		}
	})
}

func TestRelationshipsReadAndWrite(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: `
use expiration

definition user {}
caveat on_network(network string, allowed list<string>) { network in allowed }
definition document {
	relation viewer: user | user:* | user with on_network | user with expiration
	permission view = viewer
}`})
	c := dial(t, testConfig(s))
	texts := []string{
		"document:a#viewer@user:alice",
		"document:a#viewer@user:*",
		`document:b#viewer@user:alice[on_network:{"allowed":["office"]}]`,
		"document:c#viewer@user:bob[expiration:2130-01-02T03:04:05Z]",
	}
	var updates []Update
	for _, text := range texts {
		rel, err := ParseRelationship(text)
		must(t, err)
		updates = append(updates, Update{Touch, rel})
	}
	token, err := c.WriteRelationships(t.Context(), updates...)
	must(t, err)
	if token == "" {
		t.Error("no ZedToken")
	}
	if diff := cmp.Diff(texts, read(t, c, RelationshipFilter{ResourceType: "document"}), sortedStrings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := read(t, c, RelationshipFilter{ResourceType: "document", SubjectType: "user", SubjectID: "bob"}); !slices.Equal(got, texts[3:]) {
		t.Errorf("bob has %v", got)
	}

	_, err = c.WriteRelationships(t.Context(), Update{Delete, updates[0].Relationship}, Update{Delete, updates[3].Relationship})
	must(t, err)
	if diff := cmp.Diff(texts[1:3], read(t, c, RelationshipFilter{ResourceType: "document", Relation: "viewer"}), sortedStrings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	_, err = c.WriteRelationships(t.Context(), Update{Operation(9), updates[0].Relationship})
	wantKind(t, err, authz.Invalid)
	for _, err := range c.ReadRelationships(t.Context(), RelationshipFilter{ResourceType: "folder"}) {
		wantKind(t, err, authz.Invalid)
	}
	for _, err := range c.ReadRelationships(t.Context(), RelationshipFilter{ResourceType: "document"}) {
		must(t, err)
		break // leaves no stream behind
	}
}

func read(t *testing.T, c *Client, f RelationshipFilter) []string {
	t.Helper()
	var got []string
	for rel, err := range c.ReadRelationships(t.Context(), f) {
		must(t, err)
		got = append(got, rel.String())
	}
	return got
}
