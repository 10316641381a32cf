package explain

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAccess(t *testing.T) {
	view := AccessByIDs{Permission: "document#view", Column: "id", IDs: 3, Seconds: 0.0123, Requests: 1}
	with := func(ids int, seconds float64, requests int) []AccessByIDs {
		f := view
		f.IDs, f.Seconds, f.Requests = ids, seconds, requests
		return []AccessByIDs{f}
	}
	for name, test := range map[string]struct {
		a    Access
		want string
		not  string
	}{
		"a gate that is denied": {Access{Shape: "s", Rows: NoRows, Gate: "workspace:main#sync", Unrestricted: "workspace:main#admin"},
			"s: nothing: it is answered 403\n  gate          workspace:main#sync does not hold\n", "admin"},
		"every row": {Access{Shape: "s", Rows: EveryRow, Gate: "workspace:main#sync", Unrestricted: "workspace:main#admin"},
			"s: every row\n  gate          workspace:main#sync holds\n  unrestricted  workspace:main#admin holds\n", "note"},
		"some rows": {Access{Shape: "s", Rows: SomeRows, Unrestricted: "workspace:main#admin", Filters: []AccessByIDs{view}},
			"s: the rows of 3 ids\n  unrestricted  workspace:main#admin does not hold\n  filter        document#view → id: 3 ids, looked up in 12.3ms\n", "note"},
		"no rows":          {Access{Shape: "s", Rows: SomeRows, Filters: with(0, 0, 1)}, "s: no rows\n", "note"},
		"a param":          {Access{Shape: "s", Rows: UnknownRows, Gate: "g", Needs: []string{"a", "b"}}, "s: not known without its params\n  note          give --param a=… --param b=…\n", "gate"},
		"a cycle":          {Access{Shape: "s", Rows: FailedRows, Gate: "g", Failure: "a cycle"}, "answered 403: a cycle\n", "holds"},
		"a large set":      {Access{Shape: "s", Rows: SomeRows, Filters: with(10_000, 0.1, 1)}, "the set of document#view is large", "8 MB"},
		"a larger set":     {Access{Shape: "s", Rows: SomeRows, Filters: with(500_000, 3, 3)}, "a first read takes 3 requests, and a subset with an order or a limit is answered 422; give readers a shape that is scoped by a param", "is large"},
		"a lookup for few": {Access{Shape: "s", Rows: SomeRows, Filters: with(2, 1.5, 1)}, "takes long for what it finds", "is large"},
	} {
		t.Run(name, func(t *testing.T) {
			test.a.Note()
			if got := test.a.String(); !strings.Contains(got, test.want) || strings.Contains(got, test.not) {
				t.Errorf("got\n%swant %s\nand not %s", got, test.want, test.not)
			}
		})
	}
}

func TestAccessInJSON(t *testing.T) {
	a := Access{Shape: "s", Rows: NoRows, Needs: []string{}, Filters: []AccessByIDs{{Permission: "document#view", Column: "id", IDs: 1, Seconds: 0.5, Requests: 1}}}
	a.Note()
	got, err := json.Marshal(&a)
	const want = `{"shape":"s","rows":"none","needs":[],"gate":"","unrestricted":"","filters":[{"permission":"document#view","column":"id","ids":1,"seconds":0.5,"requests":1}],"failure":"","notes":[]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}
