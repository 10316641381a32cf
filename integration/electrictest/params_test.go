package electrictest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
)

func TestParametersAreValidated(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	for _, c := range []struct {
		body   string
		query  []string
		errors string
	}{
		{query: []string{"offset", "-1"}, errors: `{"table":["can't be blank"]}`},
		{query: []string{"table", "notes", "offset", "now", "live", "true"}, errors: `{"live":["can't be true when offset is 'now'"]}`},
		{query: []string{"table", "notes", "offset", "-1", "replica", "half", "log", "x"}, errors: `{"log":["is invalid"],"replica":["is invalid"]}`},
		{query: []string{"table", "a.b.c", "offset", "-1"}, errors: `{"table":["Invalid relation identifier, too many delimiters: a.b.c"]}`},
		{query: []string{"table", "notes", "offset", "-1", "columns", "id,"}, errors: `{"columns":["Invalid zero-length delimited identifier"]}`},
		{query: []string{"table", "notes", "offset", "-1", "columns", "id,nope"}, errors: `{"columns":["The following columns are not found on the table: nope"]}`},
		{query: []string{"table", "notes", "offset", "-1", "queryable_columns", "owner"}, errors: `{"queryable_columns":["The list of queryable columns must include all primary key columns, missing: id"]}`},
		{query: []string{"table", "notes", "offset", "-1", "queryable_columns", "id", "columns", "id,owner"}, errors: `{"columns":["The following columns are not found on the table: owner"]}`},
		{query: []string{"table", "notes", "offset", "-1", "params", "x"}, errors: `{"params":["is invalid"]}`},
		{query: []string{"table", "notes", "offset", "-1", "where", "id = $2", "params[2]", "1"}, errors: `{"params":["Parameters must be numbered sequentially, starting from 1"]}`},
		{query: []string{"table", "notes", "offset", "-1", "where", "true", "params[a]", "1"}, errors: `{"params":["Parameters can only use numbers as keys"]}`},
		{body: `{"table":5}`, query: []string{"table", "notes", "offset", "-1"}, errors: `{"table":["is invalid"]}`},
		{body: `{"where":"true","params":{"x":1}}`, query: []string{"table", "notes", "offset", "now"}, errors: `{"subset":{"params":["Parameters can only use numbers as keys"]}}`},
		{body: `{"limit":1.5,"order_by":"id"}`, query: []string{"table", "notes", "offset", "now"}, errors: `{"subset":{"limit":["is invalid"]}}`},
		{body: `{"subset":"x"}`, query: []string{"table", "notes", "offset", "now"}, errors: `{"subset":["is invalid"]}`},
	} {
		method := http.MethodGet
		if c.body != "" {
			method = http.MethodPost
		}
		r := w.do(t, method, c.body, c.query...)
		equal(t, fmt.Sprint(c.query, c.body), r.body, `{"errors":`+c.errors+`,"message":"Invalid request"}`)
		equal(t, "status", r.status, 400)
	}
	// false is true, if it is JSON's.
	r := w.do(t, http.MethodPost, `{"live":false}`, "table", "notes", "offset", "-1")
	equal(t, "live", r.body, `{"errors":{"live":["can't be true when offset == -1"]},"message":"Invalid request"}`)
}

func TestSubsetParametersMayBeScalars(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `insert into notes values (1, 'true', 'x'), (2, 'b', '')`)
	for body, want := range map[string]string{
		`{"where":"id = $1","params":{"1":2}}`:                          `"2"`,
		`{"where":"owner = $1","params":{"1":true}}`:                    `"1"`,
		`{"where":"body = $1","params":{"1":null}}`:                     `"2"`,
		`{"where":"id = $1","params":"{\"1\":\"1\"}"}`:                  `"1"`,
		`{"subset":{"order_by":"id desc","limit":"1"}}`:                 `"2"`,
		`{"order_by":"id","limit":1,"offset":1,"where":"   "}`:          `"2"`,
		`{"where":"id = ANY($1)","params":{"1":"{1}"},"where_expr":{}}`: `"1"`,
	} {
		r := w.do(t, http.MethodPost, body, "table", "notes", "offset", "now")
		if r.status != 200 || strings.Count(r.body, `"key"`) != 1 || !strings.Contains(r.body, `"id":`+want) {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
}

func TestSubsetSpeaksOnlyOfQueryableColumns(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `insert into notes values (1, 'a', 'x'), (2, 'b', 'y')`)
	q := []string{"table", "notes", "offset", "now", "columns", "id,owner", "where", "body = 'y'"}
	r := w.do(t, http.MethodPost, `{"where":"body = 'x'"}`, append(q, "queryable_columns", "id,owner")...)
	equal(t, "status", r.status, 400)
	r = w.do(t, http.MethodPost, `{"where":"owner = 'b'"}`, append(q, "queryable_columns", "id,owner")...)
	equal(t, "status", r.status, 200)
	if !strings.Contains(r.body, `"value":{"id":"2","owner":"b"}`) || strings.Contains(r.body, `"1"`) {
		t.Errorf("body %s", r.body)
	}
	r = w.do(t, http.MethodPost, `{"where":"body = 'x' or true"}`, q...)
	equal(t, "columns alone do not limit a subset's where", r.status, 200)
}

// TestOrInTheMainWhereLeaksThroughSubsets is the flaw of
// TestMainWhereWithOrWidensSubsets as a client meets it.
func TestOrInTheMainWhereLeaksThroughSubsets(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `insert into notes values (1, 'a', 'x'), (2, 'b', 'y')`)
	r := w.do(t, http.MethodPost, `{"where":"id = 2"}`, "table", "notes", "offset", "now", "where", "(owner = 'a' or owner = 'b')")
	if !strings.Contains(r.body, `"id":"1"`) {
		t.Errorf("the subset is not widened: %s", r.body)
	}
}
