package spicedb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

func TestSchemaReadAndWrite(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{})
	c := dial(t, testConfig(s))

	// A server without a schema answers, and has nothing.
	must(t, c.Ready(t.Context()))
	text, err := c.ReadSchema(t.Context())
	must(t, err)
	definitions, err := c.Reflect(t.Context())
	must(t, err)
	if text != "" || len(definitions) != 0 {
		t.Errorf("an empty server has %q, %v", text, definitions)
	}

	token, err := c.WriteSchema(t.Context(), testSchema)
	must(t, err)
	if token == "" {
		t.Error("no ZedToken")
	}
	must(t, c.Ready(t.Context()))
	text, err = c.ReadSchema(t.Context())
	must(t, err)
	if !strings.Contains(text, "permission view = viewer + project->view - banned") {
		t.Errorf("read back:\n%s", text)
	}
	_, err = c.WriteSchema(t.Context(), "definition {")
	wantKind(t, err, authz.Invalid)

	definitions, err = c.Reflect(t.Context())
	must(t, err)
	byName := make(map[string]Definition)
	for _, d := range definitions {
		byName[d.Name] = d
	}
	want := map[string]Definition{
		"user":    {Name: "user"},
		"group":   {Name: "group", Relations: []string{"member"}},
		"project": {Name: "project", Relations: []string{"member"}, Permissions: []string{"view"}},
		"record":  {Name: "record", Relations: []string{"viewer"}, Permissions: []string{"view"}},
		"document": {
			Name: "document", Relations: []string{"banned", "project", "viewer"}, Permissions: []string{"view"},
		},
	}
	if diff := cmp.Diff(want, byName, sortedStrings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
