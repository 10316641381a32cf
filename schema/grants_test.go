package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shapegate/shapegate/schema"
)

const validGrants = valid + `
grants:
  document_actions:
    resource: document
    permissions: [edit, share, delete]
    column_type: uuid
    params: {space: {}}
    gate: {resource: "workspace:$space", permission: sync}
    context: {department: claims.department.name}
    consistency: strict
  project_actions:
    resource: project
    permissions: [view]
`

func TestParseGrants(t *testing.T) {
	got, err := parseText(t, "shapes.yaml", []byte(validGrants))
	if err != nil {
		t.Fatal(err)
	}
	want := []schema.Grants{
		{
			Guarded: schema.Guarded{
				Name: "document_actions", Params: []string{"space"},
				Authorize: schema.Authorize{
					Gate: &schema.Requirement{Resource: schema.Resource{Type: "workspace", Param: "space"}, Permission: "sync"},
					Filter: []schema.Filter{
						{Resource: "document", Permission: "edit", Column: "edit"},
						{Resource: "document", Permission: "share", Column: "share"},
						{Resource: "document", Permission: "delete", Column: "delete"},
					},
					Context: map[string]schema.ContextValue{"department": {Source: schema.Claim, Path: []string{"department", "name"}}},
				},
				Consistency: schema.Strict,
			},
			Resource: "document", Permissions: []string{"edit", "share", "delete"}, ColumnType: "uuid",
		},
		{
			Guarded: schema.Guarded{
				Name:      "project_actions",
				Authorize: schema.Authorize{Filter: []schema.Filter{{Resource: "project", Permission: "view", Column: "view"}}},
			},
			Resource: "project", Permissions: []string{"view"}, ColumnType: "text",
		},
	}
	if diff := cmp.Diff(want, got.Grants, cmpopts.IgnoreUnexported(schema.Guarded{})); diff != "" {
		t.Error(diff)
	}
	if len(got.Shapes) != 2 {
		t.Errorf("%d shapes beside them", len(got.Shapes))
	}
}

func TestParseRefusesGrants(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"  project_actions:", "  documents:", "shapes.yaml:28:3: grants.documents: is the name of a shape, too"},
		{"  project_actions:", "  Actions:", "shapes.yaml:28:3: grants.Actions: is no name for a collection"},
		{"    resource: project\n", "", "shapes.yaml:28:3: grants.project_actions.resource: is missing"},
		{"    permissions: [view]\n", "", "shapes.yaml:28:3: grants.project_actions.permissions: is missing"},
		{"resource: project\n", "resource: project:atlas\n", `grants.project_actions.resource: "project:atlas" is one object`},
		{"permissions: [view]", "permissions: []", "shapes.yaml:30:18: grants.project_actions.permissions: is empty"},
		{"permissions: [view]", "permissions: [view, view]", `shapes.yaml:30:25: grants.project_actions.permissions[1]: "view" is named twice`},
		{"permissions: [view]", "permissions: [id]", `grants.project_actions.permissions[0]: "id" is not the name of a permission`},
		{"permissions: [view]", "permissions: [aaa, bbb, ccc, ddd, eee, fff, ggg, hhh, iii, jjj, kkk, lll, mmm, nnn, ooo, ppp, qqq]", "grants.project_actions.permissions: has more than 16 permissions"},
		{"column_type: uuid", "column_type: jsonb", `shapes.yaml:23:18: grants.document_actions.column_type: "jsonb" is not a type for the column id: text or uuid or integer`},
		{"params: {space: {}}", "params: {space: {}, team: {}}", "grants.document_actions.params.team: is declared and never used"},
		{"workspace:$space", "workspace:$spaec", `grants.document_actions.gate.resource: $spaec is not declared under params, did you mean "space"?`},
		{"    permissions: [view]\n", "    permissions: [view]\n    where: a = 1\n", "shapes.yaml:31:5: grants.project_actions.where: is not a known key"},
	} {
		text := strings.Replace(validGrants, test.old, test.new, 1)
		if text == validGrants {
			t.Fatalf("%q is not in the valid definition", test.old)
		}
		f, err := parseText(t, "shapes.yaml", []byte(text))
		if err == nil || f.Shapes != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q:\n got %v\nwant %s", test.new, err, test.want)
		}
	}
}

// The words of SQL and of the catalog name the same types.
func TestColumnTypesOfGrants(t *testing.T) {
	for word, want := range map[string]string{"text": "text", "uuid": "uuid", "integer": "int4", "bigint": "int8", "int2": "int2"} {
		f := parse(t, strings.Replace(validGrants, "column_type: uuid", "column_type: "+word, 1))
		columns := f.Grants[0].Columns()
		if columns[0] != (schema.ColumnDescription{Name: "id", Type: want}) || columns[3] != (schema.ColumnDescription{Name: "delete", Type: "bool"}) {
			t.Errorf("%s: %v", word, columns)
		}
	}
}

// A permission that the schema does not have is an error where it stands; a definition that
// it does not have is one error, and not one for each permission.
func TestValidateGrants(t *testing.T) {
	with := append([]schema.Definition{{Name: "document", Permissions: []string{"view", "edit", "share", "delete"}}}, definitions...)
	f := parse(t, validGrants)
	if err := f.Validate(with); err != nil {
		t.Error(err)
	}
	err := f.Validate(append([]schema.Definition{{Name: "document", Permissions: []string{"view", "edit", "share"}}}, definitions...))
	if want := `shapes.yaml:22:32: grants.document_actions.permissions[2]: the definition document has no permission "delete"`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	wrong := parse(t, strings.Replace(validGrants, "resource: document\n", "resource: documnet\n", 1))
	err = wrong.Validate(with)
	if want := `shapes.yaml:21:15: grants.document_actions.resource: SpiceDB's schema has no definition "documnet", did you mean "document"?`; err == nil || len(list(err)) != 1 || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	err = f.ValidateContext(map[schema.Permission][]string{
		{"document", "view"}: {"department", "ip"}, {"project", "view"}: {"now", "region"}, {"workspace", "admin"}: {"limits"},
	})
	if want := "shapes.yaml:26:27: grants.document_actions.context.department: no permission of the collection comes to a caveat"; err == nil || len(list(err)) != 1 || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
