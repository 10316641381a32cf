package demo_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

func TestAssertionsHoldOnTheRealEngine(t *testing.T) {
	spicedbtest.RunValidationFile(t, "demo.validation.yaml")
}

func TestValidationFileHasTheSameRelationships(t *testing.T) {
	file, err := spicedbtest.LoadValidationFile("demo.validation.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(demo.RelationshipLines(), file.Relationships); diff != "" {
		t.Errorf("demo.relationships and demo.validation.yaml (-, +):\n%s", diff)
	}
}

// columnsOf reads the tables of demo.sql, and refuses whatever is neither a
// plain CREATE TABLE nor a plain INSERT.
func columnsOf(t *testing.T) map[string][]string {
	t.Helper()
	tree, err := pg.Parse(demo.SQL)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][]string{}
	for _, statement := range tree.Stmts {
		switch node := statement.Stmt.Node.(type) {
		case *pg.Node_CreateStmt:
			table := node.CreateStmt.Relation.Relname
			for _, element := range node.CreateStmt.TableElts {
				if column := element.GetColumnDef(); column != nil {
					tables[table] = append(tables[table], column.Colname)
				}
			}
		case *pg.Node_InsertStmt:
			for _, row := range node.InsertStmt.SelectStmt.GetSelectStmt().ValuesLists {
				for _, value := range row.GetList().Items {
					if value.GetAConst() == nil {
						t.Errorf("a value of %s is no constant: %v", node.InsertStmt.Relation.Relname, value)
					}
				}
			}
		default:
			t.Errorf("%T is neither CREATE TABLE nor INSERT", node)
		}
	}
	return tables
}

func TestShapesFitTheTables(t *testing.T) {
	shapes, err := schema.Parse("shapes.yaml", []byte(demo.Shapes))
	if err != nil {
		t.Fatal(err)
	}
	tables := columnsOf(t)
	for _, shape := range shapes.Shapes {
		for _, column := range shape.Columns {
			if !slices.Contains(tables[shape.Table.Name], column) {
				t.Errorf("shape %s: the table %s has no column %s", shape.Name, shape.Table.Name, column)
			}
		}
	}
}

func TestEveryObjectHasItsRow(t *testing.T) {
	for _, line := range demo.RelationshipLines() {
		r, err := spicedb.ParseRelationship(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		switch r.Resource.Type {
		case "document", "project", "salary":
			if !strings.Contains(demo.SQL, "'"+r.Resource.ID+"'") {
				t.Errorf("%s is about no row of demo.sql", r)
			}
		}
	}
}

func TestShapesFitTheSchema(t *testing.T) {
	shapes, err := schema.Parse("shapes.yaml", []byte(demo.Shapes))
	if err != nil {
		t.Fatal(err)
	}
	server := spicedbtest.Start(t, spicedbtest.Config{Schema: demo.Schema})
	client, err := spicedb.Dial(spicedb.Config{
		Endpoint: "in-process", Token: server.Token(), Insecure: true, Dialer: server.DialContext,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	found, err := client.Reflect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var definitions []schema.Definition
	for _, d := range found {
		definitions = append(definitions, schema.Definition(d))
	}
	if err := shapes.Validate(definitions); err != nil {
		t.Error(err)
	}
	if hints := shapes.Hints(definitions); len(hints) > 0 {
		t.Errorf("the demo should need no hints: %v", hints)
	}
}
