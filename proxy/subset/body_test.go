package subset_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy/subset"
)

// Recording 06: such a POST is an ordinary read of the log.
func TestBodiesThatAskForNoSubset(t *testing.T) {
	for _, body := range []string{
		"", " \n", "{}", ` { } `,
		`{"table":"secrets","columns":["a"],"queryable_columns":"a","offset_":"-1","log":"full","secret":"s","api_secret":"s","replica":"full","handle":"h","live":true}`,
		`{"Where":"true","subset__where":"true","":1}`,
	} {
		if r, ok, err := subset.ParseBody([]byte(body), table); r != nil || ok || err != nil {
			t.Errorf("%s: got %v, %v, %v", body, r, ok, err)
		}
	}
}

func TestBodiesThatAskForASubset(t *testing.T) {
	type want struct {
		where, orderBy string
		limit, offset  int64
	}
	const none = -1
	for _, test := range []struct {
		body string
		want want
	}{
		{`{"where":null}`, want{"", "", none, none}},
		{`{"where":""}`, want{"", "", none, none}},
		{`{"where":" \n"}`, want{"", "", none, none}},
		{`{"params":{}}`, want{"", "", none, none}},
		{`{"params":null,"limit":null,"offset":null,"order_by":null}`, want{"", "", none, none}},
		{`{"where_expr":{"type":"ref","column":"secret"}}`, want{"", "", none, none}},
		{`{"order_by_expr":[]}`, want{"", "", none, none}},
		{`{"order_by":"title"}`, want{"", `"title"`, none, none}},
		{`{"order_by":"title","limit":1}`, want{"", `"title"`, 1, none}},
		{`{"order_by":"title","limit":"0010","offset":"0"}`, want{"", `"title"`, 10, 0}},
		{`{"order_by":"title","limit":"","offset":9223372036854775807}`, want{"", `"title"`, none, 9223372036854775807}},
		{`{"where":"\u0074rue","table":"secrets","secret":{"a":[1]}}`, want{"TRUE", "", none, none}},
		{`{"where":"title = $1","params":{"1":"\u00fc"},"where_expr":[[[]]]}`, want{`("title" = $1)`, "", none, none}},
	} {
		r, ok, err := subset.ParseBody([]byte(test.body), table)
		if err != nil || !ok {
			t.Errorf("%s: %v, %v", test.body, ok, err)
			continue
		}
		got := want{"", "", none, none}
		if r.Where != nil {
			got.where = r.Where.SQL(0)
		}
		if r.OrderBy != nil {
			got.orderBy = r.OrderBy.SQL()
		}
		if r.Limit != nil {
			got.limit = *r.Limit
		}
		if r.Offset != nil {
			got.offset = *r.Offset
		}
		if got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.body, got, test.want)
		}
	}
}

func TestNumbersKeepTheirText(t *testing.T) {
	r, _, err := subset.ParseBody([]byte(`{"where":"price > $1 AND big = $2 AND amount < $3","params":{"1":1.50e1,"2":9007199254740993,"3":-0.10}}`), table)
	if err != nil {
		t.Fatal(err)
	}
	got := r.UpstreamParams(0)
	if got["1"] != "1.50e1" || got["2"] != "9007199254740993" || got["3"] != "-0.10" {
		t.Errorf("got %v", got)
	}
}

func TestBodiesAreRefused(t *testing.T) {
	const notJSON = "is not valid JSON, or names a member twice"
	const notScalar = "is not a string, a number or a boolean"
	const notNumber = "is not the number of a parameter"
	for _, test := range []struct{ body, field, message string }{
		{`{bad json`, "body", notJSON},
		{`{"where":"true"`, "body", notJSON},
		{`{"where":"true"} {}`, "body", notJSON},
		{`{"where":"true"},`, "body", notJSON},
		{`{"where":"true","where":"false"}`, "body", notJSON},
		{`{"x":1,"x":1}`, "body", notJSON},
		{`{"where":"true","\u0077here":"false"}`, "body", notJSON},
		{`{"params":{"1":"a","1":"b"}}`, "body", notJSON},
		{`{"x":{"a":1,"a":2}}`, "body", notJSON},
		{"{\"where\":\"\xff\"}", "body", notJSON},
		{"{\"x\":\"\xc3\"}", "body", notJSON},
		{`{"where":"\ud800"}`, "body", notJSON},
		{`{"where_expr":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `}`, "body", notJSON},
		{`{"x":` + strings.Repeat(`{"a":`, 100_000), "body", notJSON},
		{`[1,2]`, "body", "is not a JSON object"},
		{`"where"`, "body", "is not a JSON object"},
		{`null`, "body", "is not a JSON object"},
		{`5`, "body", "is not a JSON object"},
		{`{"subset":{"where":"true"}}`, "subset", "is not a key of a request: its keys go to the top"},
		{`{"subset":null}`, "subset", "is not a key of a request: its keys go to the top"},
		{`{"where":5}`, "where", "is not a string"},
		{`{"where":["true"]}`, "where", "is not a string"},
		{`{"where":{"a":1}}`, "where", "is not a string"},
		{`{"order_by":true}`, "order_by", "is not a string"},
		{`{"params":[]}`, "params", "is not an object"},
		{`{"params":"{}"}`, "params", "is not an object"},
		{`{"params":{"1":["a","b"]}}`, "params.1", notScalar},
		{`{"params":{"12":{}}}`, "params.12", notScalar},
		{`{"params":{"1":null}}`, "params.1", notScalar},
		{`{"params":{"1":"a\u0000"}}`, "params.1", "holds a NUL character"},
		{`{"params":{"0":"a"}}`, "params", `"0" ` + notNumber},
		{`{"params":{"01":"a"}}`, "params", `"01" ` + notNumber},
		{`{"params":{"+1":"a"}}`, "params", `"+1" ` + notNumber},
		{`{"params":{"65536":"a"}}`, "params", `"65536" ` + notNumber},
		{`{"params":{"":"a"}}`, "params", `"" ` + notNumber},
		{`{"params":{"a\nb":"a"}}`, "params", `"a?b" ` + notNumber},
		{`{"limit":5}`, "order_by", "is required where limit or offset is given"},
		{`{"offset":5,"order_by":""}`, "order_by", "is required where limit or offset is given"},
		{`{"limit":0,"order_by":"id"}`, "limit", "must be at least 1"},
		{`{"limit":-1,"order_by":"id"}`, "limit", "must be at least 1"},
		{`{"limit":1.0,"order_by":"id"}`, "limit", "is not an integer"},
		{`{"limit":1e3,"order_by":"id"}`, "limit", "is not an integer"},
		{`{"limit":9223372036854775808,"order_by":"id"}`, "limit", "is not an integer"},
		{`{"limit":"+5","order_by":"id"}`, "limit", "is not an integer"},
		{`{"limit":"5 ","order_by":"id"}`, "limit", "is not an integer"},
		{`{"limit":true,"order_by":"id"}`, "limit", "is not an integer"},
		{`{"limit":[1],"order_by":"id"}`, "limit", "is not an integer"},
		// Recording 08: a log's offset in a body is read as a subset's.
		{`{"offset":"-1","log":"changes_only"}`, "offset", "must be at least 0"},
		{`{"offset":"now"}`, "offset", "is not an integer"},
		{`{"offset":"0_0"}`, "offset", "is not an integer"},
		{`{"where":"nope = 1"}`, "where", `unknown column "nope"`},
		{`{"order_by":"nope"}`, "order_by", `unknown column "nope"`},
	} {
		r, ok, err := subset.ParseBody([]byte(test.body), table)
		if r != nil || ok || err == nil {
			t.Errorf("%.80s: got %v, %v", test.body, r, ok)
			continue
		}
		name := test.body[:min(len(test.body), 60)]
		t.Run(name, func(t *testing.T) { checkRefused(t, err, test.field, test.message) })
	}
}

func TestQueries(t *testing.T) {
	r, ok, err := subset.ParseQuery(url.Values{
		"table": {"x"}, "subset__where": {`"id" = ANY($1)`}, "subset__params": {`{"1": "{` + id1 + `}"}`},
		"subset__limit": {"5"}, "subset__offset": {"2"}, "subset__order_by": {`"title"`},
		"subset__where_expr": {"{"}, "subset__other": {"a", "b"},
	}, table)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got := r.Where.SQL(1); got != `("id" = ANY($2))` {
		t.Errorf("where %s", got)
	}
	if got := r.UpstreamParams(1); len(got) != 1 || got["2"] != "{"+id1+"}" {
		t.Errorf("params %v", got)
	}
	if *r.Limit != 5 || *r.Offset != 2 || r.OrderBy.SQL() != `"title"` {
		t.Errorf("got %+v", r)
	}
	for _, q := range []string{"", "offset=-1&log=full", "subset__other=1&where=true", "subset=x", "params[1]=a"} {
		values, err := url.ParseQuery(q)
		if err != nil {
			t.Fatal(err)
		}
		if r, ok, err := subset.ParseQuery(values, table); r != nil || ok || err != nil {
			t.Errorf("%s: got %v, %v, %v", q, r, ok, err)
		}
	}
	if r, ok, err := subset.ParseQuery(url.Values{"subset__where": {""}}, table); r == nil || !ok || err != nil {
		t.Errorf("an empty where: got %v, %v, %v", r, ok, err)
	}
}

// Both forms of the parameters mean the same.
func TestParamsOfQueries(t *testing.T) {
	for _, query := range []string{
		`subset__where=title = $2 AND owner = $1&subset__params={"1":"a","2":"b"}`,
		`subset__where=title = $2 AND owner = $1&subset__params[1]=a&subset__params[2]=b`,
		`subset__where=title = $2 AND owner = $1&subset__params%5B1%5D=a&subset__params%5B2%5D=b&subset__params=`,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		r, ok, err := subset.ParseQuery(values, table)
		if err != nil || !ok {
			t.Fatal(query, ok, err)
		}
		if got := r.UpstreamParams(0); len(got) != 2 || got["1"] != "b" || got["2"] != "a" {
			t.Errorf("%s: params %v", query, got)
		}
	}
	if r, ok, err := subset.ParseQuery(url.Values{"subset__params[1]": {"a"}}, table); r == nil || !ok || err != nil {
		t.Errorf("params alone: got %v, %v, %v", r, ok, err)
	}
}

func TestQueriesAreRefused(t *testing.T) {
	for _, test := range []struct{ query, field, message string }{
		{"subset__where=true&subset__where=false", "where", "is given more than once"},
		{"subset__limit=1&subset__limit=1&subset__order_by=id", "limit", "is given more than once"},
		{"subset__where_expr=1&subset__where_expr=1", "where", "is given more than once"},
		{"subset__limit=x&subset__order_by=id", "limit", "is not an integer"},
		{"subset__limit=1", "order_by", "is required where limit or offset is given"},
		{"subset__offset=-1&subset__order_by=id", "offset", "must be at least 0"},
		{"subset__params=", "", ""},
		{"subset__params=[]", "params", "is not an object"},
		{"subset__params={", "params", "is not valid JSON, or names a parameter twice"},
		{"subset__params={}{}", "params", "is not valid JSON, or names a parameter twice"},
		{`subset__params={"1":1,"1":2}`, "params", "is not valid JSON, or names a parameter twice"},
		{`subset__params={"1":[]}`, "params.1", "is not a string, a number or a boolean"},
		{"subset__params[1]=a&subset__params[1]=b", "params.1", "is given more than once"},
		{`subset__params[1]=a&subset__params={"2":"b"}`, "params", "are given in two forms"},
		{"subset__params[x]=a", "params", `"x" is not the number of a parameter`},
		{"subset__params[1=a", "params", `"1" is not the number of a parameter`},
		{"subset__params[01]=a", "params", `"01" is not the number of a parameter`},
		{"subset__params[7]=%00", "params.7", "holds a NUL character"},
		{"subset__where=%ff", "where", "is not valid UTF-8"},
		{"subset__order_by=%00", "order_by", "holds a NUL character"},
		{"subset__where=nope", "where", `unknown column "nope"`},
	} {
		values, err := url.ParseQuery(test.query)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = subset.ParseQuery(values, table)
		if test.field == "" {
			if err != nil {
				t.Errorf("%s: %v", test.query, err)
			}
			continue
		}
		t.Run(test.query, func(t *testing.T) { checkRefused(t, err, test.field, test.message) })
	}
}

func TestOrderBy(t *testing.T) {
	for order, want := range map[string]string{
		`title`:                              `"title"`,
		`"title"`:                            `"title"`,
		`title asc, "dueBy" desc`:            `"title", "dueBy" DESC`,
		`points asc nulls first, "id"`:       `"points" NULLS FIRST, "id"`,
		`"we""ird" DESC NULLS LAST,title`:    `"we""ird" DESC NULLS LAST, "title"`,
		`(title)`:                            `"title"`,
		`NAME`:                               `"name"`,
		`"Docs"."title" desc, app."Docs".id`: `"title" DESC, "id"`,
		strings.Repeat("id,", 31) + `title`:  strings.Repeat(`"id", `, 31) + `"title"`,
	} {
		r, _, err := subset.ParseBody(bodyOf(t, map[string]any{"order_by": order}), table)
		if err != nil {
			t.Errorf("%s: %v", order, err)
			continue
		}
		if got := r.OrderBy.SQL(); got != want {
			t.Errorf("%s: got %s, want %s", order, got, want)
		}
	}
	const notColumns = "is not a list of columns"
	for _, test := range []struct{ order, message string }{
		{`title; drop table x`, `holds a ";"`},
		{`title -- x`, "holds a comment"},
		{`nope`, `unknown column "nope"`},
		{`Title`, ""},
		{`"Title"`, `unknown column "Title"`},
		{`"` + strings.Repeat("\x0e", 100) + `"`, `unknown column "` + strings.Repeat("?", 63) + `"`},
		{`documents.title`, notColumns},
		{`"Docs".nope`, `unknown column "nope"`},
		{`"Docs".*`, notColumns},
		{`1`, notColumns},
		{`'title'`, notColumns},
		{`$1`, notColumns},
		{`lower(title)`, notColumns},
		{`title || 'a'`, notColumns},
		{`title::text`, notColumns},
		{`title COLLATE "C"`, notColumns},
		{`(SELECT 1)`, notColumns},
		{`tags[1]`, notColumns},
		{`title USING <`, "USING is not allowed"},
		{`title LIMIT 1`, notColumns},
		{`title OFFSET 1`, notColumns},
		{`title FOR UPDATE`, notColumns},
		{`title,`, notOne},
		{`title UNION SELECT 1`, notOne},
		{strings.Repeat("(", 1000) + "title" + strings.Repeat(")", 1000), "is nested too deep"},
		{strings.Repeat("id,", 32) + `title`, "has more than 32 columns"},
	} {
		_, _, err := subset.ParseBody(bodyOf(t, map[string]any{"order_by": test.order}), table)
		if test.message == "" {
			if err != nil {
				t.Errorf("%s: %v", test.order, err)
			}
			continue
		}
		t.Run(test.order[:min(len(test.order), 40)], func(t *testing.T) { checkRefused(t, err, "order_by", test.message) })
	}
}
