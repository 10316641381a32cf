package spicedb

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
)

// What a check permits and what a lookup returns are the same, for each way of
// getting a permission.
func TestChecksAndLookupsAgree(t *testing.T) {
	office := map[string]any{"network": "office"}
	home := map[string]any{"network": "home"}
	tests := []struct {
		name    string
		subject string
		context map[string]any
		want    []string
	}{
		{
			name: "directly, by nested groups, by the project, as everybody; not if excluded, not conditionally",
			// "office" lacks the network: conditional, so denied.
			subject: "alice", want: []string{"bygroup", "byproject", "direct", "public", "twice"},
		},
		{
			name:    "with the context that the caveat asks for",
			subject: "alice", context: office,
			want: []string{"bygroup", "byproject", "direct", "office", "public", "twice"},
		},
		{
			name:    "with a context that the caveat refuses",
			subject: "alice", context: home,
			want: []string{"bygroup", "byproject", "direct", "public", "twice"},
		},
		{name: "another person", subject: "bob", context: office, want: []string{"other", "public"}},
		{name: "a person that SpiceDB has never heard of", subject: "zoe", want: []string{"public"}},
	}
	all := []string{"direct", "bygroup", "byproject", "public", "excluded", "twice", "office", "other", "missing"}
	for version, name := range versions {
		s := startServer(t, name, testRelationships)
		c := dial(t, testConfig(s))
		for _, tt := range tests {
			t.Run(version+"/"+tt.name, func(t *testing.T) {
				got, err := lookup(t.Context(), c, user(tt.subject), tt.context)
				must(t, err)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("lookup (-want +got):\n%s", diff)
				}
				for _, id := range all {
					held, err := c.CheckPermission(t.Context(), user(tt.subject), document(id), "view", tt.context)
					must(t, err)
					if want := slices.Contains(tt.want, id); held != want {
						t.Errorf("check of %s: %v, want %v", id, held, want)
					}
				}
			})
		}
	}
}

func TestAnswersAreFullyConsistent(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	for range 20 {
		must(t, s.Touch(t.Context(), "document:readme#viewer@user:alice"))
		held, err := c.CheckPermission(t.Context(), user("alice"), document("readme"), "view", nil)
		must(t, err)
		ids, err := lookup(t.Context(), c, user("alice"), nil)
		must(t, err)
		if !held || len(ids) != 1 {
			t.Fatal("a grant was not seen at once")
		}
		must(t, s.Delete(t.Context(), "document:readme#viewer@user:alice"))
		held, err = c.CheckPermission(t.Context(), user("alice"), document("readme"), "view", nil)
		must(t, err)
		ids, err = lookup(t.Context(), c, user("alice"), nil)
		must(t, err)
		if held || len(ids) != 0 {
			t.Fatal("a revocation was not seen at once")
		}
	}
}

func TestBadQuestionsAreRefusedBeforeAnyCall(t *testing.T) {
	s := startServer(t, "", testRelationships)
	s.Pause() // a call would be Unavailable
	c := dial(t, testConfig(s))
	for _, id := range []string{"*", "", "a b", "a:b", "a#b", "ä"} {
		_, err := c.CheckPermission(t.Context(), user(id), document("public"), "view", nil)
		wantKind(t, err, authz.Invalid)
		_, err = lookup(t.Context(), c, user(id), nil)
		wantKind(t, err, authz.Invalid)
		_, err = c.CheckPermission(t.Context(), user("alice"), document(id), "view", nil)
		wantKind(t, err, authz.Invalid)
	}
	secret := map[string]any{"claim": struct{ Secret string }{"hunter2"}}
	_, err := c.CheckPermission(t.Context(), user("alice"), document("public"), "view", secret)
	wantKind(t, err, authz.Invalid)
	if diff := cmp.Diff("check permission: invalid: "+errNotJSON.Error(), err.Error()); diff != "" {
		t.Error("the error quotes the value", diff)
	}
}

func TestWhatTheSchemaLacksIsUnanswerable(t *testing.T) {
	s := startServer(t, "", testRelationships)
	c := dial(t, testConfig(s))
	lookup := func(resourceType, permission string) error {
		_, err := c.LookupResources(t.Context(), authz.Lookup{Subject: user("alice").ObjectRef, ResourceType: resourceType, Permission: permission},
			func(string) { t.Error("an id") })
		return err
	}
	for permission, want := range map[string]authz.Kind{"veiw": authz.Unanswerable, "Not A Name": authz.Internal} {
		_, err := c.CheckPermission(t.Context(), user("alice"), document("direct"), permission, nil)
		wantKind(t, err, want)
		wantKind(t, lookup("document", permission), want)
	}
	wantKind(t, lookup("folder", "view"), authz.Unanswerable)
}
