package spicedb

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

// rests is authz.Dependencies, written shortly.
type rests struct{ Relations, Walked, Subjects string }

func shortly(d authz.Dependencies) rests {
	var relations []string
	for r := range d.Relations {
		relations = append(relations, r.Definition+"#"+r.Name)
	}
	slices.Sort(relations)
	names := func(m map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(m)), " ") }
	return rests{strings.Join(relations, " "), names(d.Walked), names(d.Subjects)}
}

const dependenciesSchema = `
use self

definition user {
	relation manager: user
	permission boss = manager
	permission self_and_boss = self + manager
}

definition person {}

caveat on_network(network string) {
	network == "office"
}

definition group {
	relation member: person | group#member
	relation lead: person
	permission all = member + lead
}

definition team {
	relation member: person | team#all
	relation banned: person
	permission all = member - banned
}

definition org {
	relation admin: person
}

definition project {
	relation org: org
	relation member: person | group#member
	relation unrelated: person
	permission view = member + org->admin
}

definition folder {
	relation parent: folder
	relation viewer: person | person:* | person with on_network
	permission view = viewer + parent->view
}

definition document {
	relation project: project
	relation folder: folder
	relation viewer: person
	relation banned: person:*
	relation cleared: person
	relation group: group
	relation team: team
	relation owner: user
	relation reader: team#all
	relation mixed: project | folder
	relation unrelated: person

	permission union = viewer + cleared
	permission intersection = viewer & cleared
	permission exclusion = viewer - banned
	permission nested = (viewer & cleared) - banned
	permission of_permissions = exclusion + nested
	permission arrow = project->view
	permission arrow_to_relation = project->member
	permission recursive = folder->view
	permission any_of = group.any(member)
	permission all_of = group.all(member)
	permission minus_arrow = viewer - project->view
	permission of_mixed = mixed->view
	permission to_nothing = group->view
	permission by_team = team->all
	permission by_reader = reader
	permission by_boss = owner->boss
	permission owner_or_boss = owner->self_and_boss
	permission nobody = nil
	permission by_owner = owner
}
`

func TestDependencies(t *testing.T) {
	const members = "group#member"
	tests := []struct {
		definition, permission string
		want                   rests
	}{
		{"document", "union", rests{"document#cleared document#viewer", "document", "person"}},
		{"document", "intersection", rests{"document#cleared document#viewer", "document", "person"}},
		{"document", "exclusion", rests{"document#banned document#viewer", "document", "person"}},
		{"document", "nested", rests{"document#banned document#cleared document#viewer", "document", "person"}},
		{"document", "of_permissions", rests{"document#banned document#cleared document#viewer", "document", "person"}},
		{"document", "arrow", rests{
			"document#project group#member org#admin project#member project#org", "document group org project",
			"group org person project",
		}},
		{"document", "arrow_to_relation", rests{
			"document#project group#member project#member", "document group project", "group person project",
		}},
		{"document", "recursive", rests{
			"document#folder folder#parent folder#viewer", "document folder", "folder person",
		}},
		{"document", "any_of", rests{"document#group " + members, "document group", "group person"}},
		{"document", "all_of", rests{"document#group " + members, "document group", "group person"}},
		{"document", "minus_arrow", rests{
			"document#project document#viewer group#member org#admin project#member project#org",
			"document group org project", "group org person project",
		}},
		{"document", "of_mixed", rests{
			"document#mixed folder#parent folder#viewer group#member org#admin project#member project#org",
			"document folder group org project", "folder group org person project",
		}},
		{"document", "by_team", rests{
			"document#team team#banned team#member", "document team", "person team",
		}},
		{"document", "by_reader", rests{
			"document#reader team#banned team#member", "document team", "person team",
		}},
		{"document", "by_boss", rests{"document#owner user#manager", "document user", "user"}},
		{"document", "owner_or_boss", rests{"document#owner user#manager", "document user", "user"}},
		{"document", "by_owner", rests{"document#owner", "document", "user"}},
		{"document", "nobody", rests{}},
		{"document", "to_nothing", rests{}},
		{"folder", "view", rests{"folder#parent folder#viewer", "folder", "folder person"}},
		{"team", "all", rests{"team#banned team#member", "team", "person team"}},
		{"user", "self_and_boss", rests{"user#manager", "user", "user"}},

		// Relations that are used as permissions.
		{"document", "viewer", rests{"document#viewer", "document", "person"}},
		{"document", "banned", rests{"document#banned", "document", "person"}},
		{"document", "project", rests{"document#project", "document", "project"}},
		{"group", "member", rests{members, "group", "group person"}},
		{"project", "member", rests{"group#member project#member", "group project", "group person"}},
		{"team", "member", rests{"team#banned team#member", "team", "person team"}},
		{"document", "reader", rests{"document#reader team#banned team#member", "document team", "person team"}},
	}
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: dependenciesSchema})
	c := dial(t, testConfig(s))
	for _, tt := range tests {
		t.Run(tt.definition+"#"+tt.permission, func(t *testing.T) {
			got, err := c.Dependencies(t.Context(), tt.definition, tt.permission)
			must(t, err)
			if diff := cmp.Diff(tt.want, shortly(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Expiring {
				t.Error("it may expire")
			}
		})
	}
}

func TestDependenciesOfWhatIsNotThere(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	for _, r := range []authz.Relation{
		{Definition: "document", Name: "veiw"}, {Definition: "folder", Name: "view"}, {Definition: "document"}, {},
	} {
		_, err := c.Dependencies(t.Context(), r.Definition, r.Name)
		wantKind(t, err, authz.Unanswerable)
	}
	empty := dial(t, testConfig(spicedbtest.Start(t, spicedbtest.Config{})))
	_, err := empty.Dependencies(t.Context(), "document", "view")
	wantKind(t, err, authz.Unanswerable)
	s.Pause()
	_, err = c.Dependencies(t.Context(), "document", "view")
	wantKind(t, err, authz.Unavailable)
}

func TestDependenciesThatExpire(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: `
use expiration

/** definition folder { relation viewer: user } */
definition user {}

caveat expiration_free(word string) {
	word == "definition document { relation viewer: user }" || word == '/*'
}

definition group {
	// relation member: user with expiration
	relation member: user
}

definition team {
	relation member: user | team#member | user with expiration_free and expiration
}

definition document {
	relation viewer: user | group#member
	relation reader: user with expiration_free
	relation guest: user | user with expiration
	relation banned: user /* with expiration */
	relation team: team
	relation folder: folder
	permission view = viewer - banned
	permission read = reader
	permission visit = viewer + guest
	permission by_team = team->member
	permission deep = folder->read
}

definition folder {
	relation viewer: user:* with expiration
	relation owner: user
	permission read = viewer & owner
}
`})
	c := dial(t, testConfig(s))
	for permission, want := range map[string]bool{
		"view": false, "viewer": false, "banned": false, "read": false,
		"visit": true, "guest": true, "by_team": true, "deep": true,
	} {
		got, err := c.Dependencies(t.Context(), "document", permission)
		must(t, err)
		if got.Expiring != want {
			t.Errorf("%s: %v, want %v", permission, got.Expiring, want)
		}
	}
}

// SpiceDB may give the text of a schema as it was written.
func TestWhatMayExpireAsTheTextSays(t *testing.T) {
	viewer := authz.Relation{Definition: "tenant/document", Name: "viewer"}
	for text, want := range map[string]bool{
		"definition tenant/document { relation viewer: user }":                                               false,
		"use expiration definition tenant/document { relation viewer: user }":                                false,
		"definition tenant/document{relation viewer:user with expiration}":                                   true,
		"definition tenant/document { relation viewer: a\n|\nb with c and\nexpiration\n}":                    true,
		"definition tenant/document { relation a: b with expiration relation viewer: user permission c = d}": false,
		"definition tenant/document { relation viewer: user // with expiration\n }":                          false,
		"definition tenant/document { relation viewer: user /* with\nexpiration */ }":                        false,
		"definition tenant/document { /* relation viewer: user */ relation viewer: user with expiration }":   true,

		// Not found, so unsure.
		"use expiration": true,
		"use expiration definition document { relation viewer: user }":                                              true,
		"use expiration partial a { relation viewer: user } definition tenant/document { ...a }":                    true,
		"use expiration caveat c(x string) { x == '/*' } definition tenant/document { relation viewer: user }":      false,
		"use expiration caveat c(x string) { x == \"\\\"{\" } definition tenant/document { relation viewer: user }": false,
		"use expiration caveat c(x string) { x == r'\\' } definition tenant/document { relation viewer: user }":     false,
	} {
		if got := mayExpire(text, map[authz.Relation]bool{viewer: true}); got != want {
			t.Errorf("%v, want %v: %s", got, want, text)
		}
	}
	if mayExpire("use expiration", nil) {
		t.Error("nothing may expire")
	}
}
