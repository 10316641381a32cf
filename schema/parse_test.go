package schema_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shapegate/shapegate/schema"
)

var update = flag.Bool("update", false, "write what is got as what is wanted")

// valid is a definition that the tests below spoil in one place.
const valid = `shapes:
  documents:
    table: app.documents
    columns: [id, project_id, title]
    params: {project: {}}
    where: "project_id = $project OR shared"
    authorize:
      gate: {resource: "project:$project", permission: view}
      unrestricted: {resource: "workspace:main", permission: admin}
      filter:
        - {resource: document, permission: view, column: id}
      context: {department: claims.department.name, ip: request.ip, now: request.time, region: {value: "eu"}, limits: {value: [1, 2.5, {a: null}]}}
    consistency: strict
  all:
    table: '"Rec Caps"'
    columns: [Id]
    authorize: {gate: {resource: "workspace:main", permission: sync}}
`

func TestParse(t *testing.T) {
	got, err := parseText(t, "shapes.yaml", []byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	want := []schema.Shape{
		{
			Guarded: schema.Guarded{
				Name:      "all",
				Authorize: schema.Authorize{Gate: &schema.Requirement{Resource: schema.Resource{Type: "workspace", ID: "main"}, Permission: "sync"}},
			},
			Table:   schema.Table{Schema: "public", Name: "Rec Caps"},
			Columns: []string{"Id"},
		},
		{
			Guarded: schema.Guarded{
				Name:   "documents",
				Params: []string{"project"},
				Authorize: schema.Authorize{
					Gate:         &schema.Requirement{Resource: schema.Resource{Type: "project", Param: "project"}, Permission: "view"},
					Unrestricted: &schema.Requirement{Resource: schema.Resource{Type: "workspace", ID: "main"}, Permission: "admin"},
					Filter:       []schema.Filter{{Resource: "document", Permission: "view", Column: "id"}},
					Context: map[string]schema.ContextValue{
						"department": {Source: schema.Claim, Path: []string{"department", "name"}},
						"ip":         {Source: schema.RequestIP},
						"now":        {Source: schema.RequestTime},
						"region":     {Source: schema.Literal, Value: "eu"},
						"limits":     {Source: schema.Literal, Value: []any{int64(1), 2.5, map[string]any{"a": nil}}},
					},
				},
				Consistency: schema.Strict,
			},
			Table:   schema.Table{Schema: "app", Name: "documents"},
			Columns: []string{"id", "project_id", "title"},
			Where:   &schema.Where{SQL: "(project_id = $1 OR shared) AND true", Params: []string{"project"}},
		},
	}
	if diff := cmp.Diff(want, got.Shapes, cmpopts.IgnoreUnexported(schema.Guarded{})); diff != "" {
		t.Error(diff)
	}
}

func TestExampleIsValid(t *testing.T) {
	if _, err := schema.Load("shapes.yaml"); err != nil {
		t.Error(err)
	}
}

func TestLoadWithoutFile(t *testing.T) {
	if _, err := schema.Load("testdata/none.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the file does not exist", err)
	}
}

// TestParseErrors spoils the valid definition: old is replaced by new, and want
// is how the one error starts and what it says.
func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ old, new, at, says string }{
		// Keys.
		{"consistency: strict", "consistancy: strict", "shapes.yaml:13:5: shapes.documents.consistancy:", `not a known key, did you mean "consistency"?`},
		{"    consistency: strict", "    xyz: 1", "shapes.yaml:13:5: shapes.documents.xyz:", "known: table, columns"},
		{"  all:\n", "  documents:\n", "shapes.yaml:14:3: shapes.documents:", "is a duplicate: it stands in line 2"},
		{"column: id}", "column: id, column: title}", "shapes.yaml:11:62: shapes.documents.authorize.filter[0].column:", "is a duplicate"},
		{"permission: sync}", "permission: sync, role: x}", "shapes.yaml:17:70: shapes.all.authorize.gate.role:", "not a known key"},
		{"{project: {}}", "{project: {type: uuid}}", "shapes.yaml:5:24: shapes.documents.params.project.type:", "not a known key"},
		{"{project: {}}", "{project: uuid}", "shapes.yaml:5:23: shapes.documents.params.project:", "must be a mapping"},
		{"{project: {}}", "{project: }", "shapes.documents.params.project:", "write {}"},

		// Types.
		{"table: app.documents", "table: 5", "shapes.yaml:3:12: shapes.documents.table:", "must be a string, is a number"},
		{"table: app.documents", "table: [a]", "shapes.yaml:3:12: shapes.documents.table:", "must be a string, is a list"},
		{"table: app.documents", "table:", "shapes.documents.table:", "must be a string, is nothing"},
		{"[id, project_id, title]", "id", "shapes.yaml:4:14: shapes.documents.columns:", "must be a list, is a string"},
		{"[id, project_id, title]", "[id, true]", "shapes.yaml:4:19: shapes.documents.columns[1]:", "quote it"},
		{"authorize: {gate: {resource: \"workspace:main\", permission: sync}}", "authorize: all", "shapes.yaml:17:16: shapes.all.authorize:", "must be a mapping, is a string"},
		{"- {resource: document, permission: view, column: id}", "- document", "shapes.yaml:11:11: shapes.documents.authorize.filter[0]:", "must be a mapping"},
		{"table: app.documents", "table: &t app.documents", "shapes.documents.table:", "anchor"},
		{"table: app.documents", "table: !!str app.documents", "shapes.documents.table:", "tag"},
		{"consistency: strict", "<<: {consistency: strict}", "shapes.yaml:13:5: shapes.documents:", "must be a string"},

		// What is missing.
		{"    table: app.documents\n", "", "shapes.yaml:2:3: shapes.documents.table:", "is missing"},
		{"    columns: [Id]\n", "", "shapes.yaml:14:3: shapes.all.columns:", "is missing"},
		{"    authorize: {gate: {resource: \"workspace:main\", permission: sync}}\n", "", "shapes.yaml:14:3: shapes.all.authorize:", "is missing"},
		{"{gate: {resource: \"workspace:main\", permission: sync}}", "{}", "shapes.yaml:17:5: shapes.all.authorize:", "nothing is public by accident"},
		{", permission: sync}", "}", "shapes.yaml:17:17: shapes.all.authorize.gate.permission:", "is missing"},
		{"{gate: {resource: \"workspace:main\", permission: sync}}", "{gate: {resource: \"workspace:main\", permission: sync}, unrestricted: {resource: \"workspace:main\", permission: admin}}", "shapes.yaml:17:71: shapes.all.authorize.unrestricted:", "needs a filter"},
		{"\n        - {resource: document, permission: view, column: id}", " []", "shapes.yaml:10:15: shapes.documents.authorize.filter:", "is empty"},
		{"[id, project_id, title]", "[]", "shapes.yaml:4:14: shapes.documents.columns:", "is empty"},

		// Names.
		{"  all:\n", "  All:\n", "shapes.yaml:14:3: shapes.All:", "no name for a shape"},
		{"  all:\n", "  a/b:\n", "shapes.yaml:14:3: shapes.a/b:", "no name for a shape"},
		{"table: app.documents", "table: Documents", "shapes.yaml:3:12: shapes.documents.table:", "must be quoted"},
		{"table: app.documents", "table: a.b.c", "shapes.yaml:3:12: shapes.documents.table:", "no more"},
		{"table: app.documents", "table: app.", "shapes.yaml:3:12: shapes.documents.table:", "empty"},
		{"table: app.documents", `table: '"app'`, "shapes.yaml:3:12: shapes.documents.table:", "closing quote"},
		{"table: app.documents", "table: a-b", "shapes.yaml:3:12: shapes.documents.table:", "must be quoted"},
		{"title]", "id]", "shapes.yaml:4:31: shapes.documents.columns[2]:", "named twice"},
		{"title]", `"\t"]`, "shapes.yaml:4:31: shapes.documents.columns[2]:", "characters"},
		{"title]", `""]`, "shapes.yaml:4:31: shapes.documents.columns[2]:", "empty"},
		{"title]", strings.Repeat("x", 64) + "]", "shapes.yaml:4:31: shapes.documents.columns[2]:", "63 bytes"},
		{"column: id}", "column: idd}", "shapes.yaml:11:58: shapes.documents.authorize.filter[0].column:", `not among the columns of the shape, did you mean "id"?`},
		{"consistency: strict", "consistency: strickt", "shapes.yaml:13:18: shapes.documents.consistency:", `did you mean "strict"?`},
		{"consistency: strict", "consistency: eventual", "shapes.yaml:13:18: shapes.documents.consistency:", "bounded or strict"},

		// Resources and permissions.
		{`"workspace:main", permission: sync`, `workspace, permission: sync`, "shapes.yaml:17:34: shapes.all.authorize.gate.resource:", "type:id"},
		{`"workspace:main", permission: sync`, `"Workspace:main", permission: sync`, "shapes.yaml:17:34: shapes.all.authorize.gate.resource:", "definition"},
		{`"workspace:main", permission: sync`, `"workspace:*", permission: sync`, "shapes.yaml:17:34: shapes.all.authorize.gate.resource:", "object id"},
		{`"workspace:main", permission: sync`, `"workspace:$", permission: sync`, "shapes.yaml:17:34: shapes.all.authorize.gate.resource:", "param"},
		{"permission: sync", "permission: Sync", "shapes.yaml:17:64: shapes.all.authorize.gate.permission:", "permission"},
		{"resource: document,", `resource: "document:1",`, "shapes.yaml:11:22: shapes.documents.authorize.filter[0].resource:", "names a definition"},

		// Params.
		{`"workspace:main", permission: sync`, `"workspace:$space", permission: sync`, "shapes.yaml:17:34: shapes.all.authorize.gate.resource:", "$space is not declared"},
		{`"project:$project"`, `"project:$projet"`, "shapes.yaml:8:24: shapes.documents.authorize.gate.resource:", `did you mean "project"?`},
		{"{project: {}}", "{project: {}, team: {}}", "shapes.yaml:5:27: shapes.documents.params.team:", "never used"},
		{"$project OR", "$team OR", "shapes.yaml:6:12: shapes.documents.where:", "$team is not declared"},

		// Caveat context.
		{"region: {value: \"eu\"}", "region: eu", "shapes.yaml:12:96: shapes.documents.authorize.context.region:", "{value: …}"},
		{"region: {value: \"eu\"}", "region: 5", "shapes.documents.authorize.context.region:", "{value: …}"},
		{"region: {value: \"eu\"}", "region: {}", "shapes.documents.authorize.context.region.value:", "is missing"},
		{"ip: request.ip", "ip: request.ipp", "shapes.documents.authorize.context.ip:", `did you mean "request.ip"?`},
		{"claims.department.name", "claims.", "shapes.documents.authorize.context.department:", "does not name a claim"},
		{"claims.department.name", "claims.a..b", "shapes.documents.authorize.context.department:", "does not name a claim"},
		{"{value: \"eu\"}", "{value: 9007199254740993}", "shapes.documents.authorize.context.region.value:", "as a string"},
		{"{value: \"eu\"}", "{value: .inf}", "shapes.documents.authorize.context.region.value:", "not a value"},

		// The static where; see also TestWhereErrors.
		{"$project OR shared", "$project OR", "shapes.yaml:6:12: shapes.documents.where:", "syntax error"},
	} {
		if strings.Count(valid, test.old) != 1 {
			t.Fatalf("%q is in the valid definition %d times", test.old, strings.Count(valid, test.old))
		}
		shapes, err := parseText(t, "shapes.yaml", []byte(strings.Replace(valid, test.old, test.new, 1)))
		errs := list(err)
		if len(errs) != 1 || shapes.Shapes != nil {
			t.Errorf("%q: got %d shapes and %d errors, want one error: %v", test.new, len(shapes.Shapes), len(errs), err)
			continue
		}
		var typed *schema.Error
		if !errors.As(errs[0], &typed) {
			t.Errorf("%q: %T is no *schema.Error", test.new, errs[0])
		}
		text := errs[0].Error()
		if strings.HasPrefix(test.at, "shapes.yaml") && !strings.HasPrefix(text, test.at) || !strings.Contains(text, test.at) || !strings.Contains(text, test.says) {
			t.Errorf("%q:\n got %s\nwant %s … %s", test.new, text, test.at, test.says)
		}
	}
}

func list(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

func TestParseErrorsOfWholeFiles(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "shapes.yaml:1:1: shapes: is missing"},
		{"# nothing\n", "shapes.yaml:1:1: shapes: is missing"},
		{"shapes:\n", "shapes: must be a mapping, is nothing"},
		{"shapes: {}\n", "shapes.yaml:1:9: shapes: is empty"},
		{"- a\n", "must be a mapping, is a list"},
		{"shapes: {a: [\n", "shapes.yaml:1:"},
		{"shape: {}\n", `did you mean "shapes"?`},
		{"shapes: {}\n---\nshapes: {}\n", "a second document"},
		{"shapes:\n  a:\n\ttable: x\n", "shapes.yaml:3:"},
	} {
		_, err := parseText(t, "shapes.yaml", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.text, err, test.want)
		}
	}
}

func TestParseReportsAllErrorsAtOnce(t *testing.T) {
	data, err := os.ReadFile("testdata/everything_wrong.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = parseText(t, "everything_wrong.yaml", data)
	if err == nil {
		t.Fatal("nothing is wrong with it")
	}
	got := err.Error() + "\n"
	const golden = "testdata/everything_wrong.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("run with -update if this is right:\n%s", diff)
	}
}

func TestParseTable(t *testing.T) {
	for _, test := range []struct {
		text string
		want schema.Table
	}{
		{"documents", schema.Table{Schema: "public", Name: "documents"}},
		{"app.documents", schema.Table{Schema: "app", Name: "documents"}},
		{`"Rec Caps"`, schema.Table{Schema: "public", Name: "Rec Caps"}},
		{`app."Rec.Caps"`, schema.Table{Schema: "app", Name: "Rec.Caps"}},
		{`"App"."say ""hi"""`, schema.Table{Schema: "App", Name: `say "hi"`}},
		{`"App".t_1$`, schema.Table{Schema: "App", Name: "t_1$"}},
	} {
		if got, err := schema.ParseTable(test.text); err != nil || got != test.want {
			t.Errorf("ParseTable(%s) = %v, %v; want %v", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{"", ".", "a.", ".a", "Documents", "a b", `"a"b`, `"a""`, `""`, "a.b.c", "1a", "a;b"} {
		if got, err := schema.ParseTable(text); err == nil {
			t.Errorf("ParseTable(%s) = %v, want an error", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte(validGrants))
	f.Add([]byte(schema.Example))
	f.Add([]byte("shapes: {a: &x {table: *x, <<: *x}}"))
	f.Add([]byte("? [a, b]\n: |\n  text\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		shapes, err := schema.Parse("fuzz.yaml", data)
		if err == nil && len(shapes.Shapes) == 0 {
			t.Fatal("neither shapes nor an error")
		}
		if _, refused := checkWithSchema(t, data); refused != nil && err == nil {
			t.Fatalf("the JSON Schema refuses what the parser accepts: %v", refused)
		}
		for _, shape := range shapes.Shapes {
			if shape.Authorize.Gate == nil && len(shape.Authorize.Filter) == 0 {
				t.Fatalf("shape %q is public by accident", shape.Name)
			}
		}
	})
}

func TestFirstRead(t *testing.T) {
	for _, test := range []struct {
		shape string
		want  schema.FirstRead
		err   string
	}{
		{`authorize: {gate: {resource: "workspace:main", permission: sync}}`, schema.Snapshot, ""},
		{`authorize: {gate: {resource: "workspace:main", permission: sync}}, first_read: snapshot`, schema.Snapshot, ""},
		{`authorize: {gate: {resource: "workspace:main", permission: sync}}, first_read: stored`, schema.Stored, ""},
		{`authorize: {filter: [{resource: document, permission: view, column: id}]}, first_read: snapshot`, schema.Snapshot, ""},
		{`authorize: {gate: {resource: "workspace:main", permission: sync}}, first_read: storred`, 0,
			`shapes.a.first_read: "storred" is not a first read, did you mean "stored"?`},
		{`authorize: {gate: {resource: "workspace:main", permission: sync}}, first_read: log`, 0,
			`shapes.a.first_read: "log" is not a first read: snapshot or stored`},
		{`authorize: {gate: {resource: "workspace:main", permission: sync}}, first_read: true`, 0,
			`shapes.a.first_read: must be a string, is a boolean`},
		{`first_read: stored, authorize: {filter: [{resource: document, permission: view, column: id}]}`, 0,
			`shapes.a.first_read: stored is not possible with a filter: Electric's stored log holds every row, and its past`},
		{`authorize: {unrestricted: {resource: "workspace:main", permission: admin}, filter: [{resource: document, permission: view, column: id}]}, first_read: stored`, 0,
			`shapes.a.first_read: stored is not possible with a filter: Electric's stored log holds every row, and its past`},
		{`authorize: {gate: {resource: "workspace:main", permission: sync}, unrestricted: {resource: "workspace:main", permission: admin}}, first_read: stored`, 0,
			`shapes.a.first_read: stored is not possible with unrestricted: Electric's stored log holds every row, and its past`},
	} {
		shapes, err := parseText(t, "shapes.yaml", []byte("shapes: {a: {table: t, columns: [id], "+test.shape+"}}"))
		switch {
		case test.err == "" && err != nil:
			t.Errorf("%s: %v", test.shape, err)
		case test.err == "" && shapes.Shapes[0].FirstRead != test.want:
			t.Errorf("%s: got %d, want %d", test.shape, shapes.Shapes[0].FirstRead, test.want)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%s: got %v, want %s", test.shape, err, test.err)
		}
	}
}

func TestNarrowing(t *testing.T) {
	for _, test := range []struct {
		line string
		want schema.Narrowing
		err  string
	}{
		{"", schema.NarrowingServed, ""},
		{", narrowing: served", schema.NarrowingServed, ""},
		{", narrowing: refused", schema.NarrowingRefused, ""},
		{", narrowing: refuse", 0, `shapes.a.narrowing: "refuse" is not a narrowing, did you mean "refused"?`},
		{", narrowing: no", 0, `shapes.a.narrowing: "no" is not a narrowing: served or refused`},
		{", narrowing: false", 0, `shapes.a.narrowing: must be a string, is a boolean`},
	} {
		shapes, err := parseText(t, "shapes.yaml", []byte(
			"shapes: {a: {table: t, columns: [id], authorize: {filter: [{resource: document, permission: view, column: id}]}"+test.line+"}}"))
		switch {
		case test.err == "" && err != nil:
			t.Errorf("%s: %v", test.line, err)
		case test.err == "" && shapes.Shapes[0].Narrowing != test.want:
			t.Errorf("%s: got %d, want %d", test.line, shapes.Shapes[0].Narrowing, test.want)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%s: got %v, want %s", test.line, err, test.err)
		}
	}
}
