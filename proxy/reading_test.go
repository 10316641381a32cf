package proxy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

func readingOf(t *testing.T, params map[string]string, ip string) (*Reading, error) {
	t.Helper()
	shapes, err := schema.Parse("shapes.yaml", []byte(`
shapes:
  parts:
    table: parts
    columns: [kind, n, owner]
    params: {of: {}}
    where: "kind = $of AND owner IS NOT NULL"
    authorize:
      gate: {resource: "folder:$of", permission: view}
      filter: [{resource: part, permission: view, column: owner}]
      context: {clearance: claims.clearance, ip: request.ip, now: request.time}
`))
	if err != nil {
		t.Fatal(err)
	}
	subject := authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: "bob"}, Claims: map[string]any{"clearance": 2.0}}
	return NewReading(&shapes.Shapes[0], subject, params, ip)
}

// A tool asks what the handler would ask.
func TestReading(t *testing.T) {
	r, err := readingOf(t, map[string]string{"of": "a/b"}, "10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Question.Rule.Gate.Resource.String(); got != "folder:a/b" {
		t.Errorf("the gate is on %s", got)
	}
	if diff := cmp.Diff(map[string]any{"clearance": 2.0, "ip": "10.0.0.1"}, r.Question.Context); diff != "" || !cmp.Equal([]string{"now"}, r.Question.Clock) {
		t.Errorf("context (-want +got):\n%s\nclock %v", diff, r.Question.Clock)
	}
	zero, one := 0, 1
	table := &electric.Schema{Header: "1", Key: []string{"kind", "n"}, Columns: map[string]electric.Column{
		"kind": {Type: "text", KeyIndex: &zero}, "n": {Type: "int4", KeyIndex: &one}, "owner": {Type: "uuid"},
	}}
	if err := r.Learn(table); err != nil {
		t.Fatal(err)
	}
	log, whole := r.Log(), r.WholeTable()
	if !cmp.Equal([]string{"a/b"}, log.WhereParams) || log.Replica != electric.ReplicaFull || log.Log != electric.LogChangesOnly {
		t.Errorf("the log is %s", log.Key())
	}
	if whole.Where != "" || whole.WhereParams != nil || whole.Table != "parts" || whole.Log != electric.LogChangesOnly || !cmp.Equal(log.Columns, whole.Columns) {
		t.Errorf("the whole table is %s", whole.Key())
	}
	row, err := r.Row([]string{`a/b "q" <x>`, "7"})
	want := electric.Subset{Where: `("kind" = $1 AND "n" = $2)`, Params: map[string]string{"1": `a/b "q" <x>`, "2": "7"}}
	if diff := cmp.Diff(want, row); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	table.Columns["owner"] = electric.Column{Type: "uuid", Dims: 1}
	if err := r.Learn(table); err == nil {
		t.Error("an array holds no ids")
	}
}

func TestReadingWithOtherParams(t *testing.T) {
	for want, params := range map[string]map[string]string{
		"of: a value for this param is needed": nil,
		"of: not the id":                       {"of": "a b"},
		"off: not a param":                     {"of": "a", "off": "b"},
	} {
		if _, err := readingOf(t, params, ""); authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
