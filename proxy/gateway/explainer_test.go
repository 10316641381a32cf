package gateway_test

import (
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

var update = flag.Bool("update", false, "write the explanations of testdata anew")

// What the demo does not have: a document for everybody, and a row without a project.
const (
	everybodysDocument = "d0c00000-0000-4000-8000-000000000002"

	moreSQL = `
CREATE TABLE notes (id text, part int4, project_id text, PRIMARY KEY (id, part));
INSERT INTO notes VALUES ('n', 1, NULL), ('n', 2, 'atlas'), ('n', 3, 'a@b');
`
	moreShapes = `
  notes:
    table: notes
    columns: [id, part, project_id]
    authorize:
      filter: [{resource: project, permission: view, column: project_id}]
`
)

// demoSchema is the demo's schema, with documents for everybody.
// withShapes is the demo's file of shapes with further shapes.
func withShapes(more string) string {
	return strings.Replace(demo.Shapes, "\nshapes:\n", "\nshapes:\n"+strings.TrimPrefix(more, "\n"), 1)
}

func demoSchema(t *testing.T) string {
	t.Helper()
	zed := strings.Replace(demo.Schema, "relation viewer: user | user with cleared | group#member", "relation viewer: user | user:* | user with cleared | group#member", 1)
	if zed == demo.Schema {
		t.Fatal("the demo's documents have other viewers")
	}
	return zed
}

func demoRelationships() []string {
	return append(demo.RelationshipLines(), "document:"+everybodysDocument+"#viewer@user:*")
}

// demoWorld is the demo, and somewhat more.
type demoWorld struct {
	engine    *spicedbtest.Server
	tables    *electrictest.Server
	explainer *gateway.Explainer
}

const electricSecret = "hunter2-electric"

func startDemo(t *testing.T) *demoWorld {
	t.Helper()
	w := &demoWorld{
		engine: spicedbtest.Start(t, spicedbtest.Config{Schema: demoSchema(t), Relationships: demoRelationships(), Token: "hunter2-spicedb"}),
		tables: electrictest.New(electrictest.Options{Secret: electricSecret}),
	}
	t.Cleanup(w.tables.Close)
	if _, err := w.tables.Exec(demo.SQL + moreSQL); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(w.tables)
	t.Cleanup(upstream.Close)
	shapes, err := schema.Parse("shapes.yaml", []byte(withShapes(moreShapes)))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := spicedb.Dial(spicedb.Config{Endpoint: "spicedb", Token: w.engine.Token(), Insecure: true, Dialer: w.engine.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	rows, err := electric.NewClient(electric.Config{URL: upstream.URL, Secret: electricSecret})
	if err != nil {
		t.Fatal(err)
	}
	w.explainer = gateway.NewExplainer(shapes, engine, rows)
	return w
}

func reader(t *testing.T, subject string, claims, params []string) gateway.Reader {
	t.Helper()
	who, err := gateway.ParseReader(subject, claims, params, "")
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// doc returns the id of one of the demo's documents.
func doc(n string) []string { return []string{"d0c00000-0000-4000-8000-00000000000" + n} }

// Each kind of reason, on the real engine, as it is told.
func TestExplain(t *testing.T) {
	w := startDemo(t)
	for name, test := range map[string]struct {
		subject        string
		claims, params []string
		shape          string
		id             []string
		want           explain.Reason
	}{
		"direct":           {subject: "user:alice", shape: "documents", id: doc("4"), want: explain.ByFilter},
		"group in group":   {subject: "user:alice", shape: "documents", id: doc("1"), want: explain.ByFilter},
		"parent":           {subject: "user:bob", shape: "documents", id: doc("4"), want: explain.ByFilter},
		"exclusion":        {subject: "user:bob", shape: "documents", id: doc("5"), want: explain.Excluded},
		"caveat true":      {subject: "user:alice", claims: []string{"clearance=2"}, shape: "documents", id: doc("6"), want: explain.ByFilter},
		"caveat false":     {subject: "user:alice", claims: []string{"clearance=1"}, shape: "documents", id: doc("6"), want: explain.ConditionFalse},
		"context missing":  {subject: "user:alice", shape: "documents", id: doc("6"), want: explain.ContextMissing},
		"context mistyped": {subject: "user:alice", claims: []string{"clearance=high"}, shape: "documents", id: doc("6"), want: explain.ContextMissing},
		"wildcard":         {subject: "user:bob", shape: "documents", id: []string{everybodysDocument}, want: explain.ByFilter},
		"unrestricted":     {subject: "user:carol", shape: "documents", id: doc("6"), want: explain.ByUnrestricted},
		"gate denied":      {subject: "user:dave", shape: "documents", id: doc("1"), want: explain.GateDenied},
		"nothing granted":  {subject: "user:bob", shape: "documents", id: doc("1"), want: explain.NotGranted},
		"where not met":    {subject: "user:alice", shape: "documents", id: doc("3"), want: explain.WhereNotMet},
		"no row":           {subject: "user:alice", shape: "documents", id: doc("9"), want: explain.NoRow},
		"column null":      {subject: "user:alice", shape: "notes", id: []string{"n", "1"}, want: explain.ColumnNull},
		"column other":     {subject: "user:alice", shape: "notes", id: []string{"n", "02"}, want: explain.ByFilter},
		"column no object": {subject: "user:alice", shape: "notes", id: []string{"n", "3"}, want: explain.NoObject},
		"no row no column": {subject: "user:alice", shape: "notes", id: []string{"n", "4"}, want: explain.NoRow},
		"gate alone":       {subject: "user:alice", params: []string{"project=comet"}, shape: "project_documents", id: doc("8"), want: explain.ByGate},
		"permissions":      {subject: "user:bob", shape: "document_actions", id: doc("4"), want: explain.ByFilter},
		"no permission":    {subject: "user:alice", shape: "document_actions", id: doc("4"), want: explain.NotGranted},
		"permission taken": {subject: "user:bob", shape: "document_actions", id: doc("5"), want: explain.Excluded},
		"no object":        {subject: "user:bob", shape: "document_actions", id: []string{"temp-123"}, want: explain.NoRow},
		"no permissions":   {subject: "user:dave", shape: "document_actions", id: doc("4"), want: explain.GateDenied},
		"another param":    {subject: "user:alice", params: []string{"project=comet"}, shape: "project_documents", id: doc("1"), want: explain.WhereNotMet},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := w.explainer.Explain(t.Context(), reader(t, test.subject, test.claims, test.params), test.shape, test.id)
			if err != nil {
				t.Fatal(err)
			}
			if e.Reason != test.want {
				t.Errorf("the reason is %s, want %s", e.Reason, test.want)
			}
			asked := e.Gate != nil || e.Filters[0].Check != nil
			if asked != (e.Revision != "") {
				t.Errorf("the revision is %q", e.Revision)
			}
			if asked {
				e.Revision = "a ZedToken"
			}
			golden(t, "explain-"+strings.ReplaceAll(name, " ", "-")+".txt", e.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path) //nolint:gosec // of this package
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Nothing secret is in an error, and an error says what to do.
// A check of the row finds a path beside the cycle, and the lookup of the shape does not end.
func TestARowBesideACycleOfGroupsIsNotVisible(t *testing.T) {
	w := startDemo(t)
	if err := w.engine.Touch(t.Context(), "group:engineering#member@group:everybody#member"); err != nil {
		t.Fatal(err)
	}
	e, err := w.explainer.Explain(t.Context(), reader(t, "user:bob", nil, nil), "documents", doc("4"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Reason != explain.Unevaluable || e.Visible || !e.Filters[0].Check.Held || !strings.Contains(e.String(), "lookup        document#view: ") {
		t.Errorf("%s: %s", e.Reason, e)
	}
}

func TestWhatCannotBeExplained(t *testing.T) {
	w := startDemo(t)
	for _, test := range []struct {
		subject, shape string
		id, params     []string
		want           string
	}{
		{"user:bob", "document", doc("1"), nil, `there is no shape or collection of grants "document" in shapes.yaml: there are documents, notes, project_documents, project_feed, projects, salaries, document_actions, did you mean "documents"?`},
		{"user:bob", "documents", nil, nil, "the primary key of public.documents is (id): give an id for each"},
		{"user:bob", "document_actions", append(doc("1"), "x"), nil, "the primary key of document_actions is (id): give one id, that of the object"},
		{"user:bob", "document_actions", doc("1"), []string{"project=atlas"}, "project: not a param of document_actions"},
		{"user:bob", "notes", []string{"n"}, nil, "is (id, part): give an id for each of its columns, in this order"},
		{"user:bob", "project_documents", doc("1"), nil, "project: a value for this param is needed"},
		{"user:bob", "documents", doc("1"), []string{"project=atlas"}, "project: not a param of documents"},
	} {
		_, err := w.explainer.Explain(t.Context(), reader(t, test.subject, nil, test.params), test.shape, test.id)
		if !gateway.IsInvalid(err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %v: got %v, want %s", test.shape, test.id, err, test.want)
		}
	}
	for want, arguments := range map[string][]string{
		"subject: say who":       {"bob"},
		"claim: give name=value": {"user:bob", "clearance"},
		"each name once":         {"user:bob", "a=1", "a=2"},
	} {
		if _, err := gateway.ParseReader(arguments[0], arguments[1:], nil, ""); !gateway.IsInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v", arguments, err)
		}
	}
	// An id that the column cannot hold is that of no row.
	e, err := w.explainer.Explain(t.Context(), reader(t, "user:bob", nil, nil), "documents", []string{"temp-123"})
	if err != nil || e.Visible || e.Reason != explain.NoRow || !strings.Contains(e.Filters[0].Reason, "no uuid, which the column id of public.documents is") {
		t.Errorf("an impossible id: %+v, %v", e, err)
	}
	w.engine.Pause()
	if _, err := w.explainer.Explain(t.Context(), reader(t, "user:bob", nil, nil), "documents", doc("1")); err == nil || gateway.IsInvalid(err) || strings.Contains(err.Error(), w.engine.Token()) {
		t.Errorf("without SpiceDB: %v", err)
	}
	w.tables.Close()
	if _, err := w.explainer.Explain(t.Context(), reader(t, "user:bob", nil, nil), "documents", doc("1")); err == nil || strings.Contains(err.Error(), electricSecret) {
		t.Errorf("without Electric: %v", err)
	}
}
