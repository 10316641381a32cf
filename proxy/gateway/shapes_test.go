package gateway_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/proxy/gateway"
)

// What somebody may sync is counted as the proxy decides it.
func TestShapes(t *testing.T) {
	w := startDemo(t)
	ids := func(permission, column string, n int) []explain.AccessByIDs {
		return []explain.AccessByIDs{{Permission: permission, Column: column, IDs: n, Requests: 1}}
	}
	for name, test := range map[string]struct {
		subject        string
		claims, params []string
		want           map[string]explain.Access // some of the shapes
	}{
		"bob": {"user:bob", nil, nil, map[string]explain.Access{
			"documents":         {Rows: explain.SomeRows, Gate: "workspace:main#sync", Unrestricted: "workspace:main#administer", Filters: ids("document#view", "id", 3)},
			"project_documents": {Rows: explain.UnknownRows, Needs: []string{"project"}, Filters: []explain.AccessByIDs{}},
			"project_feed":      {Rows: explain.SomeRows, Filters: ids("project#view_all", "project_id", 0)},
		}},
		"alice, cleared": {"user:alice", []string{"clearance=3"}, []string{"project=comet"}, map[string]explain.Access{
			"salaries":          {Rows: explain.SomeRows, Filters: ids("salary#view", "id", 2)},
			"project_documents": {Rows: explain.EveryRow, Gate: "project:comet#view_all", Filters: []explain.AccessByIDs{}},
		}},
		"alice": {"user:alice", nil, []string{"project=borealis"}, map[string]explain.Access{
			"salaries":          {Rows: explain.SomeRows, Filters: ids("salary#view", "id", 0)},
			"project_documents": {Rows: explain.NoRows, Gate: "project:borealis#view_all", Filters: []explain.AccessByIDs{}},
		}},
		"carol": {"user:carol", nil, nil, map[string]explain.Access{
			"document_actions": {
				Rows: explain.SomeRows, Gate: "workspace:main#sync",
				Filters: append(ids("document#edit", "edit", 8), ids("document#share", "share", 8)...),
			},
			"documents": {Rows: explain.EveryRow, Gate: "workspace:main#sync", Unrestricted: "workspace:main#administer", Filters: []explain.AccessByIDs{}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := w.explainer.Shapes(t.Context(), reader(t, test.subject, test.claims, test.params))
			if err != nil {
				t.Fatal(err)
			}
			if len(all) != 7 {
				t.Errorf("%d shapes", len(all))
			}
			for _, a := range all {
				want, ok := test.want[a.Shape]
				if !ok {
					continue
				}
				for i := range a.Filters {
					if a.Filters[i].Seconds <= 0 {
						t.Errorf("%s: it took no time", a.Shape)
					}
					a.Filters[i].Seconds = 0
				}
				if want.Shape, want.Notes = a.Shape, a.Notes; want.Needs == nil {
					want.Needs = []string{}
				}
				if diff := cmp.Diff(want, a); diff != "" {
					t.Errorf("%s (-want +got):\n%s", a.Shape, diff)
				}
			}
		})
	}
}

func TestShapesOfWhatCannotBeAnswered(t *testing.T) {
	w := startDemo(t)
	if err := w.engine.Touch(t.Context(), "group:x#member@group:y#member", "group:y#member@group:x#member", "project:dune#viewer@group:x#member"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.explainer.Shapes(t.Context(), reader(t, "user:bob", nil, []string{"projekt=atlas"})); !gateway.IsInvalid(err) || !strings.Contains(err.Error(), "no shape has the param projekt") {
		t.Errorf("got %v", err)
	}
	if err := w.engine.Touch(t.Context(), "workspace:main#member@group:x#member"); err != nil {
		t.Fatal(err)
	}
	all, err := w.explainer.Shapes(t.Context(), reader(t, "user:dave", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if a := all[0]; a.Shape != "documents" || a.Rows != explain.FailedRows || !strings.HasPrefix(a.Failure, "workspace:main#sync: ") {
		t.Errorf("of a cycle: %+v", a)
	}
	e, err := w.explainer.Explain(t.Context(), reader(t, "user:dave", nil, nil), "documents", doc("1"))
	if err != nil || e.Reason != explain.Unevaluable || e.Gate.Failure == "" {
		t.Errorf("of a cycle: %v, %+v", err, e)
	}
	w.engine.Pause()
	if _, err := w.explainer.Shapes(t.Context(), reader(t, "user:bob", nil, nil)); err == nil || gateway.IsInvalid(err) {
		t.Errorf("without SpiceDB: %v", err)
	}
}
