package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/schema"
)

func TestContextPermissions(t *testing.T) {
	got := parse(t, valid).ContextPermissions()
	want := []schema.Permission{{"document", "view"}, {"project", "view"}, {"workspace", "admin"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A key that no caveat of the shape's permissions has is an error where it stands.
func TestValidateContext(t *testing.T) {
	shapes := parse(t, strings.Replace(valid, "department:", "departement:", 1))
	parameters := map[schema.Permission][]string{
		{"document", "view"}:   {"department", "ip"},
		{"project", "view"}:    {"ip", "now", "region"},
		{"workspace", "admin"}: {"limits"},
		{"workspace", "sync"}:  {"departement"}, // of another shape
	}
	const want = `shapes.yaml:12:17: shapes.documents.authorize.context.departement: no caveat of the shape's permissions has the parameter "departement", did you mean "department"?; name one that a caveat has, or leave it out`
	err := shapes.ValidateContext(parameters)
	if err == nil || len(list(err)) != 1 {
		t.Fatalf("got %v", err)
	}
	if got := err.Error(); !strings.HasPrefix(got, "shapes.yaml:12:") || got[strings.Index(got, " "):] != want[strings.Index(want, " "):] {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if err := parse(t, valid).ValidateContext(parameters); err != nil {
		t.Error(err)
	}
	err = parse(t, valid).ValidateContext(nil)
	if err == nil || len(list(err)) != 5 || !strings.Contains(err.Error(), "no permission of the shape comes to a caveat") {
		t.Errorf("without caveats: %v", err)
	}
}
