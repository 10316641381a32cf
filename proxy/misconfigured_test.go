package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/schema"
)

// A shape that does not fit its table is its operator's to mend: the log says shape, column
// and reason, and the client no more than that.
func TestAShapeThatDoesNotFitItsTableIsMisconfigured(t *testing.T) {
	for name, tt := range map[string]struct{ shape, logged string }{
		"no such table":  {"table: nothing\n    columns: [id]", "nothing"},
		"no such column": {"table: documents\n    columns: [id, titel]", "titel"},
		"no primary key": {"table: documents\n    columns: [title]", "id"},
		"a filter on a column that cannot hold ids": {
			"table: documents\n    columns: [id, archived]\n    authorize: {filter: [{resource: document, permission: view, column: archived}]}", "archived is of type bool",
		},
	} {
		t.Run(name, func(t *testing.T) {
			yaml := "shapes:\n  wrong:\n    " + tt.shape + "\n"
			if !strings.Contains(yaml, "authorize") {
				yaml += "    authorize: {gate: {resource: \"workspace:main\", permission: sync}}\n"
			}
			shapes, err := schema.Parse("shapes.yaml", []byte(yaml))
			if err != nil {
				t.Fatal(err)
			}
			d := deploy(t, configured(func(c *proxy.Config) { c.Shapes = shapes }))
			alice := d.as("alice")
			for _, read := range []string{"offset=-1", "offset=now", "handle=x&offset=0_0"} {
				a := alice.get("/v1/shapes/wrong?" + read)
				a.refused(http.StatusBadGateway, "")
				if !strings.Contains(string(a.body), `"shape_misconfigured"`) || strings.Contains(string(a.body), tt.logged) {
					t.Errorf("answered %s", a.body)
				}
			}
			alice.post("/v1/shapes/wrong", `{"where":"true"}`).refused(http.StatusBadGateway, "")
			if logged := d.logged.String(); !strings.Contains(logged, "shape=wrong") || !strings.Contains(logged, tt.logged) {
				t.Errorf("logged %s", logged)
			}
		})
	}
}
