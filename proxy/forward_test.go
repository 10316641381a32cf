package proxy_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// definition is what every upstream request for a shape has to say, whatever its
// client said.
type definition struct{ shape, table, columns, where, log string }

var definitions = []definition{
	{"documents", `"public"."documents"`, `"id","project","title"`, "", "changes_only"},
	{"current", `"public"."documents"`, `"id","project","title"`, "(archived = false OR pinned = true) AND true", "changes_only"},
	{"board", `"public"."documents"`, `"id","title"`, "", "changes_only"},
}

// check holds one upstream request to the definition. Nothing may be in it that
// is not listed here.
func (def definition) check(t *testing.T, a asked, handle string) {
	t.Helper()
	want := map[string]string{
		"table": def.table, "columns": def.columns, "queryable_columns": def.columns,
		"log": def.log, "replica": "default", "secret": electricSecret,
	}
	if def.where != "" {
		want["where"] = def.where
	}
	for key, v := range want {
		if got := a.query[key]; !slices.Equal(got, []string{v}) {
			t.Errorf("%s is %q, want %q", key, got, v)
		}
	}
	for key, v := range a.query {
		switch key {
		case "offset":
			if a.isSubset() && v[0] != "now" {
				t.Errorf("a subset at the offset %s", v[0])
			}
		case "handle":
			if v[0] != handle {
				t.Errorf("the handle %s, want %s", v[0], handle)
			}
		case "live", "cursor":
		default:
			if _, ok := want[key]; !ok {
				t.Errorf("Electric was sent %s=%q", key, v)
			}
		}
	}
	if a.isSubset() {
		def.checkBody(t, a.body)
	} else if len(a.body) > 0 {
		t.Errorf("a read of the log has the body %s", a.body)
	}
}

func (def definition) checkBody(t *testing.T, body []byte) {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatalf("the body %s: %v", body, err)
	}
	for key := range fields {
		if !slices.Contains([]string{"where", "params", "order_by", "limit", "offset"}, key) {
			t.Errorf("Electric was sent the key %s: %s", key, body)
		}
	}
	where, _ := fields["where"].(string)
	const filter = `("id" = ANY($1))`
	if def.shape != "board" && where != filter && !strings.HasPrefix(where, filter+" AND (") {
		t.Errorf("Electric was asked for %s", where)
	}
}

func TestWhatElectricIsAskedIsTheShapesDefinition(t *testing.T) {
	// Each is added to a read from the beginning, to a read from a position, and
	// to a subset. What is not refused must change nothing.
	queries := []string{
		"table=payroll", "table=public.payroll", "columns=id,secret", "queryable_columns=secret", "secret=mine",
		"api_secret=mine", "params[1]=x", "params%5B1%5D=x", "params=%7B%221%22%3A%22x%22%7D", "replica=default", "database_id=1", "source_id=1",
		"shape_definition=x", "expired_handle=1-1", "experimental_compaction=true", "cache-buster=1", "subset=x",
		"subset%5Bwhere%5D=true", "body=x", "_method=DELETE", "subset__nonsense=1",
	}
	bodies := []string{
		`{"table":"payroll"}`, `{"table":"payroll","where":"true"}`, `{"where":"true","columns":["id","secret"]}`,
		`{"where":"true","queryable_columns":"secret"}`, `{"where":"true","secret":"mine","api_secret":"mine"}`,
		`{"where":"true","handle":"1-1","live":true,"live_sse":true,"cursor":"1"}`, `{"where":"true","replica":"full","log":"full"}`,
		`{"params":{"1":"{` + full("d3") + `}"}}`, `{"where":"true","params":{"1":"{` + full("d3") + `}","2":"x"}}`,
		`{"where":"true","where_expr":{"op":"or"},"order_by_expr":[]}`, `{"subset__where":"true"}`, `{"WHERE":"true","Table":"payroll"}`,
		`{"whe\u0072e":"true"}`,
	}
	for _, def := range definitions {
		t.Run(def.shape, func(t *testing.T) {
			d := deploy(t)
			alice, path := d.as("alice"), "/v1/shapes/"+def.shape+"?"
			_, first := alice.whole(path)
			handle := d.handler.Feeds()[0].Handle
			fromMemory := false
			try := func(what string, a *answer) {
				t.Helper()
				requests := slices.DeleteFunc(d.upstream.forget(), asked.live)
				switch {
				case a.status == http.StatusBadRequest && len(requests) > 0:
					t.Errorf("%s: refused, and yet Electric was asked %v", what, requests[0].query)
				case a.status == http.StatusOK && len(requests) == 0 && !fromMemory:
					t.Errorf("%s: answered without asking Electric", what)
				case a.status != http.StatusOK && a.status != http.StatusBadRequest:
					t.Errorf("%s: status %d", what, a.status)
				}
				for _, r := range requests {
					def.check(t, r, handle)
				}
			}
			d.upstream.forget()
			for _, q := range queries {
				try(q, alice.get(path+"offset=-1&"+q))
				fromMemory = true
				try(q, alice.get(path+first.onward()+"&"+q))
				fromMemory = false
				try(q, alice.post(path+"offset=now&"+q, `{"where":"true"}`))
				try(q, alice.get(path+"subset__where=true&"+q))
			}
			for _, b := range bodies {
				try(b, alice.post(path+"offset=-1", b))
				fromMemory = true
				try(b, alice.post(path+first.onward(), b))
				fromMemory = false
			}
		})
	}
}

// An allowed replica selects the shape's own variant, and no other word gets
// through.
func TestAClientMayChooseTheReplicaOfItsShape(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1&replica=full").is(http.StatusOK)
	d.exec("UPDATE documents SET title = 'new'")
	a := alice.get("/v1/shapes/documents?replica=full&"+first.onward()).says(
		"update d1 project=p1 title=new", "update d2 project=p1 title=new", "up-to-date")
	if len(a.messages()[0].OldValue) != 1 {
		t.Errorf("%s", a.body)
	}
	// The other variant is another log.
	alice.get("/v1/shapes/documents?" + first.onward()).mustRefetch(first)
}

func TestAStaticWhereWithAnORHoldsItsSubsetsTogether(t *testing.T) {
	d := deploy(t)
	d.exec("UPDATE documents SET archived = true WHERE id = $1", full("d2"))
	d.exec("UPDATE documents SET pinned = true WHERE id = $1", full("d4"))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/current?offset=-1").holds("d1")
	alice.post("/v1/shapes/current", `{"where":"true"}`).holds("d1")
	alice.post("/v1/shapes/current", `{"where":"\"title\" = 'one' OR \"title\" = 'four'"}`).holds("d1")
	d.exec("UPDATE documents SET pinned = true WHERE id = $1", full("d2"))
	d.exec("UPDATE documents SET archived = true WHERE id = $1", full("d1"))
	alice.get("/v1/shapes/current?"+first.onward()).says("insert d2", "delete d1", "up-to-date")
}

func TestTheParamsOfAWhereGoToElectricAsValues(t *testing.T) {
	d := deploy(t, granting("project:p=1/x|y-z_#viewer@user:alice"))
	alice, path := d.as("alice"), "/v1/shapes/project_tasks?offset=-1&project="+url.QueryEscape("p=1/x|y-z_")
	alice.get(path).is(http.StatusOK)
	for _, a := range d.upstream.forget() {
		if a.query.Get("where") != "project = $1" || a.query.Get("params[1]") != "p=1/x|y-z_" || a.query.Has("params[2]") {
			t.Errorf("Electric was asked %v", a.query)
		}
	}
	// A client's own where comes behind the shape's, and so do its params.
	alice.get(path + "&" + query("where", `title = $1 OR title = 'x'`, "params[1]", "p2")).is(http.StatusOK)
	for _, a := range d.upstream.forget() {
		where := a.query.Get("where")
		if where == "project = $1" {
			continue // the feed of the whole shape goes on
		}
		if where != `project = $1 AND ((("title" = $2) OR ("title" = 'x')) AND TRUE)` ||
			a.query.Get("params[1]") != "p=1/x|y-z_" || a.query.Get("params[2]") != "p2" {
			t.Errorf("Electric was asked %v", a.query)
		}
	}
}
