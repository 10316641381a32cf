package schema_test

import (
	"strings"
	"testing"

	"github.com/shapegate/shapegate/schema"
)

// documentsTable is the table of the shape documents in valid.
func documentsTable() *schema.TableDescription {
	return &schema.TableDescription{
		Columns: []schema.ColumnDescription{
			{Name: "id", Type: "uuid"}, {Name: "project_id", Type: "text"}, {Name: "title", Type: "text"}, {Name: "shared", Type: "bool"},
		},
		Key: []string{"id"},
	}
}

func documents(t *testing.T) schema.Shape {
	t.Helper()
	for _, shape := range parse(t, valid).Shapes {
		if shape.Name == "documents" {
			return shape
		}
	}
	t.Fatal("no shape documents")
	return schema.Shape{}
}

func TestValidateTable(t *testing.T) {
	const types = "use a column of type uuid, int2, int4, int8, text, varchar, and not of a domain over one: Electric does not compare its values"
	for _, test := range []struct {
		name   string
		change func(*schema.TableDescription)
		column string
		want   string
	}{
		{"all is well", func(*schema.TableDescription) {}, "", ""},
		{"a column that is not there", func(d *schema.TableDescription) { d.Columns[2].Name = "titel" }, "title",
			`shapes.yaml:4:31: shapes.documents.columns[2]: the table app.documents has no column "title", did you mean "titel"?; name a column that there is`},
		{"a key that is not asked for", func(d *schema.TableDescription) { d.Key = []string{"id", "shared"} }, "shared",
			`shapes.yaml:4:14: shapes.documents.columns: the primary key's column "shared" is missing from the columns; add it: Electric identifies rows by their primary key`},
		{"a filter on json", func(d *schema.TableDescription) { d.Columns[0].Type = "jsonb" }, "id",
			`shapes.yaml:11:58: shapes.documents.authorize.filter[0].column: the column "id" is of type jsonb, which cannot hold object ids; ` + types},
		{"a filter on an array", func(d *schema.TableDescription) { d.Columns[0].Dims = 1 }, "id",
			`shapes.yaml:11:58: shapes.documents.authorize.filter[0].column: the column "id" is of type uuid[], which cannot hold object ids; ` + types},
		{"a filter on a domain", func(d *schema.TableDescription) { d.Columns[0].Type = "doc_id" }, "id",
			`shapes.yaml:11:58: shapes.documents.authorize.filter[0].column: the column "id" is of type doc_id, which cannot hold object ids; ` + types},
	} {
		t.Run(test.name, func(t *testing.T) {
			table := documentsTable()
			test.change(table)
			checkFindings(t, documents(t).ValidateTable(table), test.column, test.want)
		})
	}
	checkFindings(t, documents(t).ValidateTable(nil), "",
		`shapes.yaml:3:12: shapes.documents.table: there is no table app.documents; name the table as it stands in the catalog, with its schema if that is not public, and let Electric's role read it`)
}

func TestValidateTableReportsAll(t *testing.T) {
	findings := documents(t).ValidateTable(&schema.TableDescription{Key: []string{"a", "b"}})
	if len(findings) != 5 {
		t.Errorf("got %v, want 3 columns and 2 of the key", findings)
	}
}

func checkFindings(t *testing.T, findings []schema.Finding, column, want string) {
	t.Helper()
	if want == "" {
		if len(findings) > 0 {
			t.Errorf("got %v", findings)
		}
		return
	}
	if len(findings) != 1 || findings[0].Error() != want {
		t.Fatalf("\n got %v\nwant %s", findings, want)
	}
	f := findings[0]
	if f.Shape != "documents" || f.Column != column || !strings.HasSuffix(f.Error(), f.Reason+"; "+f.Remedy) {
		t.Errorf("got %+v", f)
	}
}

// The texts are those of Electric 1.7.12.
func TestRefused(t *testing.T) {
	for _, test := range []struct{ field, text, column, want string }{
		{"table", `Table "app"."documents" does not exist. If the table name contains capitals or special characters you must quote it.`, "",
			`shapes.yaml:3:12: shapes.documents.table: there is no table app.documents; name the table as it stands in the catalog, with its schema if that is not public, and let Electric's role read it`},
		{"columns", "The list of columns must include all primary key columns, missing: tenant", "tenant",
			`shapes.yaml:4:14: shapes.documents.columns: the primary key's column "tenant" is missing from the columns; add it: Electric identifies rows by their primary key`},
		{"queryable_columns", "The list of queryable columns must include all primary key columns, missing: tenant", "tenant",
			`shapes.yaml:4:14: shapes.documents.columns: the primary key's column "tenant" is missing from the columns; add it: Electric identifies rows by their primary key`},
		{"columns", "The following columns are not found on the table: title", "title",
			`shapes.yaml:4:31: shapes.documents.columns[2]: the table app.documents has no column "title"; name a column that there is`},
		{"columns", "The following columns are generated and cannot be included in the shape: title. You can exclude them from the shape by explicitly listing which columns to fetch in the 'columns' query param", "title",
			`shapes.yaml:4:31: shapes.documents.columns[2]: the column "title" is generated; leave it out: Postgres before 18 does not replicate generated columns`},
		{"where", "At location 4: invalid syntax for type int4: hunter2", "",
			`shapes.yaml:6:12: shapes.documents.where: Electric does not accept the where; use the columns of the table, and the operators and functions that Electric has for their types`},
		{"table", "Something new", "",
			`shapes.yaml:3:12: shapes.documents.table: Electric refuses the shape: Something new; change the definition, or the table`},
	} {
		checkFindings(t, documents(t).Refused(map[string][]string{test.field: {test.text}, "offset": {"is invalid"}}), test.column, test.want)
	}
	several := documents(t).Refused(map[string][]string{
		"columns":           {"The following columns are not found on the table: a, b"},
		"queryable_columns": {"The following queryable columns are not found on the table: a, b"},
	})
	if len(several) != 2 || several[0].Column != "a" || several[1].Column != "b" {
		t.Errorf("got %v, want a and b", several)
	}
}
