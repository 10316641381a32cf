package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/shapegate/shapegate/cmd/internal/catalog"
	"github.com/shapegate/shapegate/integration/postgrestest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
	"github.com/shapegate/shapegate/schema/draft"
)

// filterOf is a shape whose rows are those of a permission on their id.
func filterOf(name, definition string, columns ...string) schema.Shape {
	return schema.Shape{
		Guarded: schema.Guarded{
			Name:      name,
			Authorize: schema.Authorize{Filter: []schema.Filter{{Resource: definition, Permission: "view", Column: "id"}}},
		},
		Table: schema.Table{Schema: "public", Name: name}, Columns: columns,
	}
}

func checkShapes(t *testing.T, file string, want ...schema.Shape) {
	t.Helper()
	got, err := schema.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Shapes, cmpopts.IgnoreUnexported(schema.Guarded{})); diff != "" {
		t.Error(diff)
	}
}

// With Electric alone the tables are named, and the columns are what Electric says.
func TestInitWithElectric(t *testing.T) {
	env := startTables(t, startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema}), demo.SQL)
	file := filepath.Join(t.TempDir(), "new", "shapes.yaml")
	env = with(env, "SHAPEGATE_SHAPES", file)

	got := shapegate(t, env, "", "init", "--table", "salaries", "--table", "projects", "--table", "public.documents", "--table", "documents")
	got.expect(t, 0, "wrote "+file+", with 3 shapes: documents, projects, salaries\n", "")
	if got.stderr != "" {
		t.Errorf("there is nothing to say: %s", got.stderr)
	}
	checkShapes(t, file,
		filterOf("documents", "document", "id", "archived", "body", "details", "project_id", "revision", "tags", "title", "updated_at"),
		filterOf("projects", "project", "id", "name", "updated_at"),
		filterOf("salaries", "salary", "id", "amount", "currency", "person"))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n#        clearance: claims.clearance\n") {
		t.Errorf("the caveat of salaries is not named:\n%s", text)
	}
	shapegate(t, env, "", "check-config").expect(t, 0, "ok: 3 shapes", "")

	// The same question, the same text.
	again := shapegate(t, env, "", "init", "--table", "documents", "--table", "projects", "--table", "salaries", "-o", "-")
	again.expect(t, 0, "shapes:\n", "with 3 shapes: documents, projects, salaries\n")
	if diff := cmp.Diff(string(text), again.stdout); diff != "" {
		t.Error(diff)
	}
}

func TestInitNeverOverwrites(t *testing.T) {
	file := write(t, "shapes.yaml", "mine")
	shapegate(t, nil, "", "init", "-o", file).expect(t, 1, "", file+" is there already, and stays as it is")
	shapegate(t, map[string]string{"SHAPEGATE_SHAPES": file}, "", "init").expect(t, 1, "", "is there already")
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
}

// A file with nothing but comments is no shapes.yaml yet, and the exit code says so.
func TestInitWhereNothingIsDecided(t *testing.T) {
	env := startTables(t, startSpiceDB(t, spicedbtest.Config{Schema: "definition user {}"}), demo.SQL)
	env = with(env, "SHAPEGATE_SHAPES", filepath.Join(t.TempDir(), "shapes.yaml"))
	shapegate(t, env, "", "init", "--table", "documents").
		expect(t, 1, "in which no shape is decided", "to decide: public.documents: no definition is named like it")
	shapegate(t, env, "", "check-config").expect(t, 1, "", "shapes: must be a mapping, is nothing")
}

func TestInitMistakes(t *testing.T) {
	env := startTables(t, startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema}), demo.SQL)
	ask := []string{"init", "-o", "-", "--table", "documents"}
	shapegate(t, nil, "", ask...).expect(t, 2, "", "not set: SPICEDB_ENDPOINT (--spicedb-endpoint), SPICEDB_TOKEN (--spicedb-token)")
	shapegate(t, with(env, "SPICEDB_ENDPOINT", freePort(t)), "", ask...).expect(t, 2, "", "SPICEDB_ENDPOINT")
	shapegate(t, with(env, "ELECTRIC_URL", ""), "", ask...).expect(t, 2, "", "not set: DATABASE_URL (--database-url), or else ELECTRIC_URL")
	shapegate(t, env, "", ask[:3]...).expect(t, 2, "", "name them with --table, or set DATABASE_URL")
	shapegate(t, with(env, "ELECTRIC_SECRET", "wrong"), "", ask...).expect(t, 2, "", "put ELECTRIC_SECRET right")
	shapegate(t, with(env, "ELECTRIC_URL", "http://"+freePort(t)), "", ask...).expect(t, 2, "", "ask Electric (ELECTRIC_URL) about public.documents")
	shapegate(t, env, "", append(ask, "--table", "document")...).expect(t, 1, "", "--table: there is no table public.document; name the table")
	shapegate(t, env, "", append(ask, "--table", "Documents")...).expect(t, 2, "", "--table Documents: Documents must be quoted")

	got := shapegate(t, with(env, "DATABASE_URL", "postgres://demo:hunter2@host:notaport/x"), "", ask...)
	got.expect(t, 2, "", "DATABASE_URL (--database-url): must be a URL as in postgres://")
	away := shapegate(t, with(env, "DATABASE_URL", "postgres://demo:hunter2@"+freePort(t)+"/x?sslmode=disable"), "", ask...)
	away.expect(t, 2, "", "DATABASE_URL (--database-url): failed to connect")
	if strings.Contains(got.stderr+away.stderr, "hunter2") {
		t.Errorf("the password is shown: %s%s", got.stderr, away.stderr)
	}
}

// Of a table with generated columns, Electric before Postgres 18 says no more than their
// names.
func TestInitOfATableThatElectricDoesNotDescribe(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"message":"Invalid request","errors":{"columns":["The following columns are generated and cannot be included in the shape: total. You can exclude them from the shape by explicitly listing which columns to fetch in the 'columns' query param"]}}`))
	}))
	defer upstream.Close()
	env := with(startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema}), "ELECTRIC_URL", upstream.URL)
	shapegate(t, env, "", "init", "-o", "-", "--table", "orders").
		expect(t, 1, "", `--table: the column "total" is generated; Electric does not say which columns such a table has: set DATABASE_URL`)
}

// tablesSQL makes tables of all the kinds that a database has.
var tablesSQL = demo.SQL + `
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('good', 'bad');
CREATE DOMAIN app.doc_id AS uuid;
CREATE DOMAIN app.words AS text[];
CREATE TABLE app.groups (
  name varchar(20), id bigint PRIMARY KEY, moods app.mood[], doc app.doc_id, w app.words, gone int, password_hash text,
  upper text GENERATED ALWAYS AS (upper(name)) STORED
);
ALTER TABLE app.groups DROP COLUMN gone;
CREATE TABLE app.members (person text, group_id int8, PRIMARY KEY (group_id, person));
CREATE TABLE workspaces (region text, id text, note text, PRIMARY KEY (id, region) INCLUDE (note)) PARTITION BY LIST (region);
CREATE TABLE workspaces_eu PARTITION OF workspaces FOR VALUES IN ('eu');
CREATE TABLE logged (at timestamptz);
CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
CREATE VIEW seen AS SELECT id FROM documents;
`

// startPostgres returns the URL of a real database in which SQL was run.
func startPostgres(t *testing.T, sql string) string {
	t.Helper()
	server := postgrestest.Start(t)
	t.Cleanup(server.Stop)
	url := server.Database(t)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
	return url
}

// With Postgres, all tables are in the draft, with their columns in order.
func TestInitWithPostgres(t *testing.T) {
	url := startPostgres(t, tablesSQL)
	env := startTables(t, startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema + "\ndefinition member {\n\trelation owner: user\n\tpermission view = owner\n}\n"}), demo.SQL)
	file := filepath.Join(t.TempDir(), "shapes.yaml")
	env = with(with(env, "SHAPEGATE_SHAPES", file), "DATABASE_URL", url)

	got := shapegate(t, env, "", "init")
	got.expect(t, 0, "with 3 shapes: documents, projects, salaries\n", "")
	for _, line := range []string{
		"to decide: app.groups: group has relations (member) and no permission: add one to the schema, such as view",
		"to decide: app.members: its primary key has several columns (group_id, person): choose the one that holds the ids of member",
		"to decide: public.logged: it has no primary key",
		"to decide: public.workspaces: no permission of workspace is called view, read, see, can_view, can_read or can_see; it has administer, sync; its primary key has several columns (id, region)",
	} {
		if !strings.Contains(got.stderr, line) {
			t.Errorf("not said: %s\n%s", line, got.stderr)
		}
	}
	checkShapes(t, file,
		filterOf("documents", "document", "id", "project_id", "title", "body", "tags", "details", "revision", "archived", "updated_at"),
		filterOf("projects", "project", "id", "name", "updated_at"),
		filterOf("salaries", "salary", "id", "person", "amount", "currency"))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"#    table: app.groups\n#    columns: [name, id, moods, doc, w]\n",
		"Columns left out: password_hash (named like a secret); upper (generated: Postgres\n",
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("not there: %q\n%s", part, text)
		}
	}
	if found := regexp.MustCompile(`workspaces_eu|scratch|seen|gone|pg_|shapegate_canary`).FindString(string(text)); found != "" {
		t.Errorf("%s is no table to be synced, or no column:\n%s", found, text)
	}
	shapegate(t, env, "", "check-config").expect(t, 0, "ok: 3 shapes", "")

	checkCatalog(t, url)

	one := shapegate(t, env, "", "init", "-o", "-", "--table", "projects")
	one.expect(t, 0, "  projects:\n", "wrote a draft, with 1 shape: projects\n")
	if strings.Contains(one.stdout, "documents") {
		t.Errorf("not asked for:\n%s", one.stdout)
	}
	shapegate(t, env, "", "init", "-o", "-", "--table", "project").expect(t, 1, "", `--table: there is no table public.project, did you mean "public.projects"?`)
}

// checkCatalog checks what is read of app.groups, whose types are called as Electric calls
// them: a domain by its own name, so that it is not taken for one that holds ids.
func checkCatalog(t *testing.T, url string) {
	t.Helper()
	tables, err := catalog.Tables(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	column := func(name, typ string, dims int) draft.Column {
		return draft.Column{ColumnDescription: schema.ColumnDescription{Name: name, Type: typ, Dims: dims}, Generated: name == "upper"}
	}
	want := draft.Table{
		Table: schema.Table{Schema: "app", Name: "groups"}, Key: []string{"id"},
		Columns: []draft.Column{
			column("name", "varchar", 0), column("id", "int8", 0), column("moods", "mood", 1), column("doc", "doc_id", 0),
			column("w", "words", 0), column("password_hash", "text", 0), column("upper", "text", 0),
		},
	}
	if diff := cmp.Diff(want, tables[0]); diff != "" {
		t.Error(diff)
	}
}
