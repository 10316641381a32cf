package draft

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/schema"
)

var update = flag.Bool("update", false, "write what is got as what is wanted")

func column(name, typ string) Column {
	return Column{ColumnDescription: schema.ColumnDescription{Name: name, Type: typ}}
}

func table(name string, key []string, columns ...Column) Table {
	t := Table{Columns: columns, Key: key}
	t.Schema, t.Name = "public", name
	return t
}

func id(name string) []string { return []string{name} }

// everything has a table for each thing that may be decided, and for each that may not.
func everything() Source {
	generated := column("total", "int4")
	generated.Generated = true
	archive := table("notes", id("id"), column("id", "uuid"))
	archive.Schema = "archive"
	return Source{
		Tables: []Table{
			table("documents", id("id"), column("id", "uuid"), column("project_id", "text"), column("title", "text")),
			table("projects", id("id"), column("id", "text"), column("name", "text"), column("owner_token", "text"), generated),
			table("salaries", id("id"), column("id", "uuid"), column("amount", "int8")),
			table("Time Sheets", id("Id"), column("Id", "uuid"), column("projectId", "text"), column("Ends", "timestamptz")),
			table("users", id("id"), column("id", "uuid"), column("password_hash", "text")),
			table("folders", id("id"), column("id", "int8")),
			table("invoices", id("id"), column("id", "int8")),
			table("reports", []string{"tenant_id", "number"}, column("tenant_id", "uuid"), column("number", "int4")),
			table("widgets", id("id"), column("id", "numeric")),
			table("comments", id("id"), column("id", "uuid"), column("document_id", "uuid"), column("folder_id", "int8"), column("user_id", "uuid")),
			table("settings", id("name"), column("name", "text"), column("value", "jsonb")),
			table("log_lines", nil, column("at", "timestamptz")),
			table("sessions", id("token"), column("token", "text")),
			table("notes", id("id"), column("id", "uuid")),
			table("people", id("id"), column("id", "uuid")),
			archive,
		},
		Definitions: []schema.Definition{
			{Name: "user"},
			{Name: "group", Relations: []string{"member"}},
			{Name: "workspace", Permissions: []string{"sync", "administer"}},
			{Name: "document", Permissions: []string{"view", "edit"}, Relations: []string{"viewer"}},
			{Name: "app/project", Permissions: []string{"can_view", "can_edit"}},
			{Name: "salary", Permissions: []string{"view"}},
			{Name: "time_sheet", Permissions: []string{"read"}},
			{Name: "folder", Permissions: []string{"view", "read", "list"}},
			{Name: "invoice", Permissions: []string{"pay", "issue"}},
			{Name: "report", Permissions: []string{"view"}},
			{Name: "widget", Permissions: []string{"view"}},
			{Name: "session", Permissions: []string{"view"}},
			{Name: "note", Permissions: []string{"view"}},
			{Name: "crm/person", Permissions: []string{"view"}},
			{Name: "hr/person", Permissions: []string{"view"}},
		},
		Parameters: map[schema.Permission][]string{{Definition: "salary", Name: "view"}: {"required", "clearance"}},
	}
}

func TestDraft(t *testing.T) {
	got := New(everything())
	const golden = "testdata/everything.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.Text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.Text); diff != "" {
		t.Errorf("run with -update if this is right:\n%s", diff)
	}
	if want := []string{"time_sheets", "documents", "projects", "salaries"}; !slices.Equal(got.Shapes, want) {
		t.Errorf("active: %v, want %v", got.Shapes, want)
	}
	if len(got.Shapes)+len(got.Open) != len(everything().Tables) {
		t.Errorf("%d shapes and %d open tables of %d", len(got.Shapes), len(got.Open), len(everything().Tables))
	}
	checkParses(t, everything(), got)
}

// checkParses checks that a draft is good as it is, and that it stays so when somebody
// has made all the choices and uncommented all shapes.
func checkParses(t interface {
	Helper()
	Fatalf(string, ...any)
}, s Source, d Draft,
) {
	t.Helper()
	shapes, err := schema.Parse("draft.yaml", []byte(d.Text))
	if len(d.Shapes) == 0 {
		if err == nil {
			t.Fatalf("there are shapes:\n%s", d.Text)
		}
	} else if err != nil || len(shapes.Shapes) != len(d.Shapes) {
		t.Fatalf("%d shapes of %v: %v\n%s", len(shapes.Shapes), d.Shapes, err, d.Text)
	}
	for _, shape := range shapes.Shapes {
		if len(shape.Authorize.Filter) != 1 || shape.Authorize.Gate != nil {
			t.Fatalf("%s: %+v", shape.Name, shape.Authorize)
		}
	}
	if err := shapes.Validate(s.Definitions); err != nil {
		t.Fatalf("%v", err)
	}
	if err := shapes.ValidateContext(s.Parameters); err != nil {
		t.Fatalf("%v", err)
	}

	if len(d.Shapes) == 0 && !strings.Contains(strings.TrimPrefix(d.Text, heading), "\n#") {
		return
	}
	if _, err := schema.Parse("chosen.yaml", []byte(uncommented(d.Text))); err != nil && !strings.Contains(err.Error(), choose) {
		t.Fatalf("when everything is uncommented: %v\n%s", err, uncommented(d.Text))
	}
}

// uncommented is a draft without the # of its shapes, and its permissions chosen.
func uncommented(text string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimPrefix(text, heading)) {
		lines = append(lines, strings.TrimPrefix(line, "#"))
	}
	text = heading + strings.Join(lines, "")
	text = strings.ReplaceAll(text, "permission: "+choose, "permission: view")
	return strings.ReplaceAll(text, "resource: "+choose, "resource: chosen")
}

// What is not chosen the parser refuses, also where the # are gone.
func TestWhatIsToBeChosenIsRefused(t *testing.T) {
	d := New(Source{Tables: []Table{table("settings", id("name"), column("name", "text"))}})
	text := heading + strings.ReplaceAll(strings.TrimPrefix(d.Text, heading), "\n#", "\n")
	_, err := schema.Parse("draft.yaml", []byte(text))
	if err == nil || strings.Count(err.Error(), choose) != 2 {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestADraftDoesNotDependOnTheOrderOfItsSource(t *testing.T) {
	s := everything()
	want := New(s).Text
	slices.Reverse(s.Tables)
	slices.Reverse(s.Definitions)
	if diff := cmp.Diff(want, New(s).Text); diff != "" {
		t.Error(diff)
	}
}

func TestADraftOfNothing(t *testing.T) {
	d := New(Source{})
	if len(d.Shapes)+len(d.Open) > 0 || d.Text != heading {
		t.Errorf("%+v", d)
	}
}
