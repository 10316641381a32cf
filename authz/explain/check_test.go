package explain

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shapegate/shapegate/authz"
)

const testSchema = `
definition user {}
definition group {
	relation member: user | group#member
}
definition folder {
	relation parent: folder
	relation owner: folder
	relation viewer: user | group#member
	relation banned: user
	permission view = (viewer + parent->view) - banned
	permission both = viewer & owner->viewer
	permission either = parent->view + owner->view
	permission alias = view
	permission up = parent->alias
	permission every = parent.all(view)
}`

// node makes a trace: of an object, a name and parts.
func node(object, name string, outcome Outcome, parts ...Trace) Trace {
	ref, err := authz.ParseObjectRef(object)
	if err != nil {
		panic(err)
	}
	return Trace{Object: ref, Name: name, Outcome: outcome, Parts: parts}
}

func named(object, name, grantee string) Trace {
	t := node(object, name, Held)
	t.Grantee = grantee
	return t
}

func caveated(t Trace, c Caveat) Trace {
	t.Caveat = &c
	return t
}

var (
	isFalse = Caveat{Name: "cleared", Expression: "clearance >= required", Result: CaveatFalse, Context: map[string]any{"clearance": 1.0, "required": 2.0}}
	lacks   = Caveat{Name: "cleared", Expression: "clearance >= required", Result: CaveatMissing, Context: map[string]any{"required": 2.0}, Missing: []string{"clearance"}}
	byGroup = node("folder:a", "viewer", Held, node("group:g", "member", Held, named("group:h", "member", "user:bob")))
	notView = node("folder:a", "viewer", NotHeld)
	notBan  = node("folder:a", "banned", NotHeld)
)

func TestTell(t *testing.T) {
	groupPath := Path{"folder:a", "viewer", "group:g#member", "member", "group:h#member", "member", "user:bob"}
	for name, test := range map[string]struct {
		permission string
		trace      Trace
		want       Check // Object, Permission, Expression and Held are those of the test
	}{
		"a direct relationship": {"view", node("folder:a", "view", Held, named("folder:a", "viewer", "user:bob"), notBan),
			Check{Paths: []Path{{"folder:a", "viewer", "user:bob"}}}},
		"everybody": {"view", node("folder:a", "view", Held, named("folder:a", "viewer", "user:*")),
			Check{Paths: []Path{{"folder:a", "viewer", "user:*"}}}},
		"a group in a group": {"view", node("folder:a", "view", Held, byGroup, notBan), Check{Paths: []Path{groupPath}}},
		"a parent": {"view", node("folder:a", "view", Held, notView, node("folder:p", "view", Held, named("folder:p", "viewer", "user:bob"))),
			Check{Paths: []Path{{"folder:a", "parent", "folder:p", "viewer", "user:bob"}}}},
		"the first that holds, of two": {"view", node("folder:a", "view", Held, node("folder:p", "view", Held, named("folder:p", "viewer", "user:bob")), byGroup),
			Check{Paths: []Path{groupPath}}},
		"a permission by another name": {"alias", node("folder:a", "view", Held, byGroup), Check{Paths: []Path{groupPath}}},
		"an arrow to another name": {"up", node("folder:a", "up", Held, node("folder:p", "view", Held, named("folder:p", "viewer", "user:bob"))),
			Check{Paths: []Path{{"folder:a", "parent", "folder:p", "viewer", "user:bob"}}}},
		"both sides of an intersection": {"both", node("folder:a", "both", Held, byGroup, named("folder:o", "viewer", "user:bob")),
			Check{Paths: []Path{groupPath, {"folder:a", "owner", "folder:o", "viewer", "user:bob"}}}},
		"arrows that cannot be told apart": {"either", node("folder:a", "either", Held, node("folder:p", "view", Held, named("folder:p", "viewer", "user:bob"))),
			Check{Paths: []Path{{"folder:a", "parent or owner", "folder:p", "viewer", "user:bob"}}}},
		"all parents": {"every", node("folder:a", "every", Held, node("folder:p", "view", Held, named("folder:p", "viewer", "user:bob")), node("folder:q", "view", Held, named("folder:q", "viewer", "user:*"))),
			Check{Paths: []Path{{"folder:a", "parent", "folder:p", "viewer", "user:bob"}, {"folder:a", "parent", "folder:q", "viewer", "user:*"}}}},

		"a caveat that is true": {"view", node("folder:a", "view", Held, caveated(named("folder:a", "viewer", "user:bob"), Caveat{Name: "cleared", Result: CaveatTrue})),
			Check{Paths: []Path{{"folder:a", "viewer", "user:bob[cleared]"}}}},

		"nothing": {"view", node("folder:a", "view", NotHeld, notView, node("folder:p", "view", NotHeld, node("folder:p", "viewer", NotHeld, node("group:g", "member", NotHeld)))),
			Check{Tried: []string{"folder:a#viewer", "folder:p#viewer", "group:g#member"}}},
		"an exclusion": {"view", node("folder:a", "view", NotHeld, byGroup, named("folder:a", "banned", "user:bob")),
			Check{Paths: []Path{groupPath}, ExcludedBy: []Path{{"folder:a", "banned", "user:bob"}}}},
		"an exclusion above": {"up", node("folder:a", "up", NotHeld, node("folder:p", "view", NotHeld, named("folder:p", "viewer", "user:*"), named("folder:p", "banned", "user:bob"))),
			Check{Paths: []Path{{"folder:a", "parent", "folder:p", "viewer", "user:*"}}, ExcludedBy: []Path{{"folder:a", "parent", "folder:p", "banned", "user:bob"}}}},
		"an exclusion of nothing": {"view", node("folder:a", "view", NotHeld, notView, named("folder:a", "banned", "user:bob")),
			Check{Tried: []string{"folder:a#viewer"}}},
		"an exclusion that lacks context": {"view", node("folder:a", "view", Lacking, byGroup, caveated(node("folder:a", "banned", Lacking), lacks)),
			Check{Paths: []Path{groupPath}, Caveats: []CaveatOn{{Path{"folder:a", "banned"}, lacks}}}},
		"one side of an intersection": {"both", node("folder:a", "both", NotHeld, byGroup, node("folder:o", "viewer", NotHeld)),
			Check{Tried: []string{"folder:o#viewer"}}},
		"a caveat that is false": {"view", node("folder:a", "view", NotHeld, caveated(node("folder:a", "viewer", NotHeld), isFalse)),
			Check{Caveats: []CaveatOn{{Path{"folder:a", "viewer"}, isFalse}}}},
		"a caveat on a set": {"view", node("folder:a", "view", Lacking, caveated(node("folder:a", "viewer", Lacking, named("group:g", "member", "user:bob")), lacks)),
			Check{Caveats: []CaveatOn{{Path{"folder:a", "viewer", "group:g#member[cleared]", "member", "user:bob"}, lacks}}}},
		"a caveat within a set": {"view", node("folder:a", "view", Lacking, caveated(node("folder:a", "viewer", Lacking, caveated(node("group:g", "member", Lacking), lacks)), lacks)),
			Check{Caveats: []CaveatOn{{Path{"folder:a", "viewer", "group:g#member", "member"}, lacks}}, Tried: []string{"folder:a#viewer"}}},
	} {
		t.Run(name, func(t *testing.T) {
			asked := authz.Check{Resource: authz.ObjectRef{Type: "folder", ID: "a"}, Permission: test.permission}
			schema := ReadSchema(testSchema)
			test.want.Object, test.want.Permission = "folder:a", test.permission
			test.want.Expression = schema[authz.Relation{Definition: "folder", Name: test.permission}]
			test.want.Held = test.trace.Outcome == Held
			got := Tell(asked, Answer{Held: test.want.Held, Trace: test.trace, Schema: schema})
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func checkOf(typ, id, permission string) authz.Check {
	return authz.Check{Resource: authz.ObjectRef{Type: typ, ID: id}, Permission: permission}
}
