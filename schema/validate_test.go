package schema_test

import (
	"strings"
	"testing"

	"github.com/shapegate/shapegate/schema"
)

var definitions = []schema.Definition{
	{Name: "user"},
	{Name: "workspace", Permissions: []string{"sync", "admin"}, Relations: []string{"member"}},
	{Name: "project", Permissions: []string{"view"}},
	{Name: "document", Permissions: []string{"view"}, Relations: []string{"viewer"}},
}

func parse(t *testing.T, text string) schema.File {
	t.Helper()
	shapes, err := parseText(t, "shapes.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return shapes
}

func TestValidate(t *testing.T) {
	if err := parse(t, valid).Validate(definitions); err != nil {
		t.Error(err)
	}
	for _, test := range []struct{ old, new, want string }{
		{"resource: document,", "resource: documnet,", `shapes.yaml:11:22: shapes.documents.authorize.filter[0].resource: SpiceDB's schema has no definition "documnet", did you mean "document"?`},
		{"resource: document,", "resource: invoice,", `shapes.yaml:11:22: shapes.documents.authorize.filter[0].resource: SpiceDB's schema has no definition "invoice"`},
		{"permission: sync", "permission: snyc", `shapes.yaml:17:64: shapes.all.authorize.gate.permission: the definition workspace has no permission "snyc", did you mean "sync"?`},
		{"permission: admin", "permission: own", `shapes.yaml:9:62: shapes.documents.authorize.unrestricted.permission: the definition workspace has no permission "own"`},
		{"view, column: id", "viewr, column: id", `the definition document has no permission "viewr", did you mean "view"?`},
	} {
		err := parse(t, strings.Replace(valid, test.old, test.new, 1)).Validate(definitions)
		if err == nil || !strings.Contains(err.Error(), test.want) || len(list(err)) != 1 {
			t.Errorf("%s:\n got %v\nwant %s", test.new, err, test.want)
		}
	}
}

func TestValidateReportsAll(t *testing.T) {
	err := parse(t, valid).Validate(nil)
	if got := len(list(err)); got != 4 {
		t.Errorf("got %d errors, want one for each of 4 requirements: %v", got, err)
	}
}

func TestValidateWithoutAFile(t *testing.T) {
	err := schema.File{Shapes: []schema.Shape{{Guarded: schema.Guarded{Name: "made", Authorize: schema.Authorize{
		Filter: []schema.Filter{{Resource: "document", Permission: "edit", Column: "id"}},
	}}}}}.Validate(definitions)
	if want := `shapes.made.authorize.filter[0].permission: the definition document has no permission "edit"; name one that it has, or write a schema that has this one`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestARelationIsAPermissionWithAHint(t *testing.T) {
	shapes := parse(t, strings.Replace(valid, "permission: sync", "permission: member", 1))
	if err := shapes.Validate(definitions); err != nil {
		t.Error(err)
	}
	hints := shapes.Hints(definitions)
	if len(hints) != 1 || !strings.HasPrefix(hints[0].Error(), `shapes.yaml:17:64: shapes.all.authorize.gate.permission: "member" is a relation of workspace; name a permission, whose rule`) {
		t.Errorf("got %v, want a hint at line 17", hints)
	}
}
