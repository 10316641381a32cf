package explain

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func check(held bool) *Check { return &Check{Object: "document:d1", Permission: "view", Held: held} }

func value(s string) *string { return &s }

var (
	seen    = Row{Exists: true, MeetsWhere: true}
	reached = Filter{Column: "id", Value: value("d1"), Check: check(true)}
	refused = Filter{Column: "id", Value: value("d1"), Check: check(false)}
	null    = Filter{Column: "project_id", Reason: "NULL is never visible"}
)

func because(c Check) Filter {
	c.Object, c.Permission = "document:d1", "view"
	return Filter{Column: "id", Value: value("d1"), Check: &c}
}

func TestConclude(t *testing.T) {
	for name, test := range map[string]struct {
		e    Explanation
		want Reason
	}{
		"a gate alone":                    {Explanation{Gate: check(true), Row: seen}, ByGate},
		"a gate that is denied":           {Explanation{Gate: check(false), Every: check(true), Filters: []Filter{reached}, Row: seen}, GateDenied},
		"a gate of a cycle":               {Explanation{Gate: &Check{Failure: "a cycle"}, Row: seen}, Unevaluable},
		"no row":                          {Explanation{Filters: []Filter{reached}}, NoRow},
		"a where that is not met":         {Explanation{Every: check(true), Filters: []Filter{reached}, Row: Row{Exists: true}}, WhereNotMet},
		"unrestricted":                    {Explanation{Every: check(true), Filters: []Filter{refused, null}, Row: seen}, ByUnrestricted},
		"unrestricted of a cycle":         {Explanation{Every: &Check{Failure: "a cycle"}, Filters: []Filter{reached}, Row: seen}, ByFilter},
		"a filter":                        {Explanation{Every: check(false), Filters: []Filter{reached}, Row: seen}, ByFilter},
		"any filter of two":               {Explanation{Filters: []Filter{null, refused, reached}, Row: seen}, ByFilter},
		"a lookup of a cycle":             {Explanation{Failure: "a cycle", Filters: []Filter{reached}, Row: seen}, Unevaluable},
		"a filter of a cycle":             {Explanation{Filters: []Filter{reached, because(Check{Failure: "a cycle"})}, Row: seen}, Unevaluable},
		"nothing granted":                 {Explanation{Filters: []Filter{null, refused}, Row: seen}, NotGranted},
		"a column that is NULL":           {Explanation{Filters: []Filter{null}, Row: seen}, ColumnNull},
		"a value that is no id":           {Explanation{Filters: []Filter{null, {Column: "owner", Value: value("a@b"), Reason: "no object id"}}, Row: seen}, NoObject},
		"an exclusion":                    {Explanation{Filters: []Filter{because(Check{ExcludedBy: []Path{{"a"}}, Caveats: []CaveatOn{{Caveat: isFalse}}})}, Row: seen}, Excluded},
		"a caveat that is false":          {Explanation{Filters: []Filter{because(Check{Caveats: []CaveatOn{{Caveat: isFalse}}})}, Row: seen}, ConditionFalse},
		"a caveat that lacks context too": {Explanation{Filters: []Filter{because(Check{Caveats: []CaveatOn{{Caveat: isFalse}, {Caveat: lacks}}})}, Row: seen}, ContextMissing},
	} {
		t.Run(name, func(t *testing.T) {
			test.e.Conclude()
			visible := test.want == ByGate || test.want == ByUnrestricted || test.want == ByFilter
			if test.e.Reason != test.want || test.e.Visible != visible {
				t.Errorf("got %s, visible %v; want %s, %v", test.e.Reason, test.e.Visible, test.want, visible)
			}
			if first, _, _ := strings.Cut(test.e.String(), "\n"); strings.Contains(first, "sees") != visible || strings.Contains(first, "%!") {
				t.Errorf("it is told as: %s", first)
			}
		})
	}
}

// Everything that can be told, in one text.
func TestString(t *testing.T) {
	e := Explanation{
		Question: Question{Subject: "user:bob", Shape: "documents", ID: []string{"d1"}, Context: map[string]string{"clearance": "claims.clearance"}},
		Gate:     &Check{Object: "workspace:main", Permission: "sync", Held: true, Paths: []Path{{"workspace:main", "member", "user:bob"}}},
		Every:    &Check{Object: "workspace:main", Permission: "administer", Failure: "a cycle"},
		Filters: []Filter{
			{Column: "id", Value: value("d1"), Check: &Check{
				Object: "document:d1", Permission: "view", Expression: "viewer - banned",
				Paths: []Path{{"document:d1", "viewer", "user:*"}}, ExcludedBy: []Path{{"document:d1", "banned", "user:bob"}},
				Caveats: []CaveatOn{
					{Path{"document:d1", "viewer", "user:bob"}, lacks},
					{Path{"document:d1", "viewer", "group:g#member"}, isFalse},
					{Path{"document:d1", "viewer", "group:h#member"}, Caveat{Expression: "a && b", Result: CaveatMissing, Missing: []string{"zone"}}},
				},
				Tried: []string{"t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "t09", "t10", "t11", "t12", "t13"}, IgnoredContext: []string{"clearance"},
			}},
			{Column: "owner", Value: value("a@b"), Reason: "it is no object id"},
			null,
		},
		Row: Row{Exists: true, MeetsWhere: true, Where: "archived = false"}, Revision: "Gh",
	}
	e.Conclude()
	want := `user:bob does not see the row d1 of documents: document:d1#view excludes user:bob.

  gate          workspace:main#sync holds
                workspace:main → member → user:bob
  unrestricted  workspace:main#administer cannot be evaluated: a cycle
  filter        id = d1: document:d1#view does not hold
                view = viewer - banned
                excluded by document:d1 → banned → user:bob
                without the exclusion: document:d1 → viewer → user:*
                document:d1 → viewer → user:bob
                  the caveat cleared (clearance >= required) lacks clearance (the shape takes it from claims.clearance), with required = 2
                document:d1 → viewer → group:g#member
                  the caveat cleared (clearance >= required) is false, with clearance = 1, required = 2
                document:d1 → viewer → group:h#member
                  the caveats (a && b) lacks zone (the shape's authorize.context does not have it)
                no relationship leads to user:bob in t01, t02, t03, t04, t05, t06, t07, t08, t09, t10, t11, t12 and 1 more
                the context's clearance (the shape takes it from claims.clearance) was left out: no caveat can take its value
  filter        owner = a@b: it is no object id
  filter        project_id: NULL is never visible
  row           exists, and meets the shape's where: archived = false
  revision      Gh
`
	if diff := cmp.Diff(want, e.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A collection of grants is told by its permissions.
func TestStringOfGrants(t *testing.T) {
	of := func(permission string, c Check) Filter {
		c.Object, c.Permission = "document:d1", permission
		return Filter{Column: permission, Value: value("d1"), Check: &c}
	}
	e := Explanation{
		Question: Question{Subject: "user:bob", Shape: "document_actions", Grants: true, ID: []string{"d1"}, Context: map[string]string{"clearance": "claims.clearance"}},
		Gate:     &Check{Object: "workspace:main", Permission: "sync", Held: true, Paths: []Path{{"workspace:main", "member", "user:bob"}}},
		Filters: []Filter{
			of("edit", Check{Held: true, Paths: []Path{{"document:d1", "editor", "user:bob"}}}),
			of("share", Check{Expression: "project->view_all", Tried: []string{"project:p#lead"}, Caveats: []CaveatOn{{Path{"document:d1", "lead", "user:bob"}, lacks}}}),
		},
		Row: seen,
	}
	e.Conclude()
	want := `user:bob sees the row d1 of document_actions: edit holds, share does not hold.

  gate          workspace:main#sync holds
                workspace:main → member → user:bob
  permission    document:d1#edit holds
                document:d1 → editor → user:bob
  permission    document:d1#share does not hold
                share = project->view_all
                document:d1 → lead → user:bob
                  the caveat cleared (clearance >= required) lacks clearance (the collection takes it from claims.clearance), with required = 2
                no relationship leads to user:bob in project:p#lead
`
	if diff := cmp.Diff(want, e.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	e.Filters = e.Filters[1:]
	e.Conclude()
	if got := e.String(); e.Visible || !strings.HasPrefix(got, "user:bob does not see the row d1 of document_actions: share does not hold.\n") {
		t.Errorf("%v %s", e.Visible, got)
	}
	e.Gate.Held = false
	e.Conclude()
	if got := e.String(); !strings.Contains(got, "so that the collection is answered 403") {
		t.Error(got)
	}
}

// The keys of JSON are the interface of whoever reads it. Lists are never null.
func TestJSON(t *testing.T) {
	e := Explanation{
		Question: Question{Subject: "user:bob", Shape: "documents", ID: []string{"d1"}, Params: map[string]string{}, Context: map[string]string{}},
		Filters:  []Filter{because(Tell(checkOf("document", "d1", "view"), Answer{Trace: node("document:d1", "view", NotHeld)}))},
	}
	e.Conclude()
	got, err := json.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"subject":"user:bob","shape":"documents","grants":false,"id":["d1"],"params":{},"context":{},"visible":false,"reason":"no_row",` +
		`"gate":null,"unrestricted":null,"filters":[{"column":"id","value":"d1","check":{"object":"document:d1","permission":"view","expression":"",` +
		`"held":false,"paths":[],"excluded_by":[],"caveats":[],"tried":["document:d1#view"],"ignored_context":[],"failure":""},"reason":""}],` +
		`"failure":"","row":{"exists":false,"meets_where":false,"where":""},"revision":""}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
