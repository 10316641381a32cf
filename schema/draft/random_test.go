package draft

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shapegate/shapegate/schema"
)

// Names that meet each other often, and some that are odd.
var (
	tableWords = []string{
		"documents", "Document", "documents_by_project", "projects", "project", "table", "tables", "people", "addresses", "1st", "true", "a b",
		`say "hi"`, "it's", "文档", "x\ny", "null", "#", "a: b", "ünïcode", "\u2028", "user-account", strings.Repeat("long_", 12) + "abc",
	}
	columnWords = []string{
		"id", "project_id", "documentId", "table_id", "database_id", "user_id", "title", "token", "token_id", "no", "a,b", "]", `"`, "'", `\`, "x\ty",
		"$x", "日付", "{}", "- a", "*", "&a", "!t", "é", "\u00a0", "~", "0", "1.5", "",
	}
	definitionWords  = []string{"document", "project", "app/project", "table", "database", "person", "address", "user", "user_account", "true", "token"}
	permissionWords  = []string{"view", "read", "can_view", "edit", "administer"}
	typeWords        = []string{"uuid", "text", "int8", "jsonb", "numeric"}
	schemaWords      = []string{"public", "app", "Big One"}
	caveatParamWords = []string{"clearance", "on", "Level_2"}
)

func randomSource(t *rapid.T) Source {
	s := Source{Parameters: map[schema.Permission][]string{}}
	byName := map[schema.Table]Table{}
	for range rapid.IntRange(0, 6).Draw(t, "tables") {
		table := randomTable(t)
		byName[table.Table] = table
	}
	s.Tables = slices.Collect(maps.Values(byName))
	if rapid.Bool().Draw(t, "plain") { // one whose shape is active: few of the others' are
		invoices := Table{Columns: []Column{column("id", "uuid"), column(rapid.SampledFrom(columnWords[:10]).Draw(t, "plain column"), "text")}, Key: []string{"id"}}
		invoices.Schema, invoices.Name = "public", "invoices"
		invoices.Columns = slices.CompactFunc(invoices.Columns, func(a, b Column) bool { return a.Name == b.Name })
		s.Tables = append(s.Tables, invoices)
		s.Definitions = append(s.Definitions, schema.Definition{Name: "invoice", Permissions: []string{"view"}})
	}
	for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(definitionWords), rapid.ID).Draw(t, "definitions") {
		s.Definitions = append(s.Definitions, schema.Definition{
			Name:        name,
			Permissions: rapid.SliceOfDistinct(rapid.SampledFrom(permissionWords), rapid.ID).Draw(t, "permissions"),
			Relations:   []string{"owner"}[:rapid.IntRange(0, 1).Draw(t, "relations")],
		})
	}
	for _, p := range ReadPermissions(s.Definitions) {
		s.Parameters[p] = rapid.SliceOfDistinct(rapid.SampledFrom(caveatParamWords), rapid.ID).Draw(t, "parameters")
	}
	return s
}

func randomTable(t *rapid.T) Table {
	var table Table
	table.Schema = rapid.SampledFrom(schemaWords).Draw(t, "schema")
	table.Name = rapid.SampledFrom(tableWords).Draw(t, "table")
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(columnWords[:len(columnWords)-1]), 1, 12, rapid.ID).Draw(t, "columns")
	for _, name := range names {
		c := column(name, rapid.SampledFrom(typeWords).Draw(t, "type"))
		c.Dims = rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "dims")
		c.Generated = rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "generated")
		table.Columns = append(table.Columns, c)
	}
	table.Key = names[:min(len(names), rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(t, "key"))]
	return table
}

// Whatever tables and definitions are called, the parser reads the draft, as it is and when
// all of it is uncommented, and an active shape fits its table.
func TestADraftIsGoodWhateverThingsAreCalled(t *testing.T) {
	active := 0
	rapid.Check(t, func(t *rapid.T) {
		s := randomSource(t)
		d := New(s)
		if len(d.Shapes)+len(d.Open) != len(s.Tables) {
			t.Fatalf("%d shapes and %d open tables of %d", len(d.Shapes), len(d.Open), len(s.Tables))
		}
		checkParses(t, s, d)
		shapes, _ := schema.Parse("draft.yaml", []byte(d.Text))
		for _, shape := range shapes.Shapes {
			active++
			checkFits(t, s, shape)
		}
	})
	if active == 0 {
		t.Error("no shape was ever active")
	}
}

// checkFits checks that a shape can be served from its table, and shows no secret.
func checkFits(t *rapid.T, s Source, shape schema.Shape) {
	i := slices.IndexFunc(s.Tables, func(t Table) bool { return t.Table == shape.Table })
	if i < 0 {
		t.Fatalf("there is no table %s", shape.Table)
	}
	described := &schema.TableDescription{Key: s.Tables[i].Key}
	for _, c := range s.Tables[i].Columns {
		described.Columns = append(described.Columns, c.ColumnDescription)
		if (c.Generated || isSecret(c.Name)) && slices.Contains(shape.Columns, c.Name) {
			t.Fatalf("%s has the column %s", shape.Name, c.Name)
		}
	}
	if found := shape.ValidateTable(described); len(found) > 0 {
		t.Fatalf("%v", found)
	}
}
