package subset_test

import (
	"encoding/json"
	"maps"
	"os"
	"testing"

	"github.com/shapegate/shapegate/proxy/subset"
)

// compiledCase is what one of the real clients makes of an expression. See
// testdata/compile.mjs.
type compiledCase struct {
	Name     string
	Compiler string
	Where    string
	Params   map[string]string
	OrderBy  string `json:"order_by"`
	Limit    *int64
}

func compiled(t testing.TB) []compiledCase {
	t.Helper()
	text, err := os.ReadFile("testdata/compiled.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []compiledCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// printedCase is what goes upstream for a compiledCase, with one parameter of the
// proxy in front.
type printedCase struct {
	Where   string            `json:"where,omitempty"`
	Params  map[string]string `json:"params,omitempty"`
	OrderBy string            `json:"order_by,omitempty"`
}

// Everything that TanStack DB and the Electric client emit is accepted, and goes
// upstream as testdata/printed.json says.
func TestCompiledByTheClients(t *testing.T) {
	text, err := os.ReadFile("testdata/printed.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]printedCase
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	cases := compiled(t)
	if len(cases) < 90 || len(want) != len(cases) {
		t.Fatalf("%d cases and %d answers", len(cases), len(want))
	}
	for _, c := range cases {
		name := c.Compiler + ": " + c.Name
		got := printedOf(t, c)
		if w := want[name]; got.Where != w.Where || got.OrderBy != w.OrderBy || !maps.Equal(got.Params, w.Params) {
			t.Errorf("%s\n got %+v\nwant %+v", name, got, w)
		}
		if got.Where != "" {
			checkSafe(t, got.Where)
		}
	}
}

func printedOf(t *testing.T, c compiledCase) printedCase {
	t.Helper()
	members := map[string]any{"params": c.Params}
	if c.Where != "" {
		members["where"] = c.Where
	}
	if c.OrderBy != "" {
		members["order_by"] = c.OrderBy
	}
	if c.Limit != nil {
		members["limit"] = *c.Limit
	}
	r, ok, err := subset.ParseBody(bodyOf(t, members), table)
	if err != nil || !ok {
		t.Fatalf("%s: %v", c.Name, err)
	}
	var p printedCase
	if r.Where != nil {
		p.Where, p.Params = r.Where.SQL(1), r.UpstreamParams(1)
	}
	if r.OrderBy != nil {
		p.OrderBy = r.OrderBy.SQL()
	}
	return p
}
