package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/schema/demo"
)

func startDemoGateway(t *testing.T) *running {
	t.Helper()
	r := world{zed: demoSchema(t), sql: demo.SQL + moreSQL, shapes: withShapes(moreShapes)}.start(t)
	if err := r.engine.Touch(t.Context(), demoRelationships()...); err != nil {
		t.Fatal(err)
	}
	r.untilReady(t)
	return r
}

// rowsOf returns the rows that somebody syncs of a shape: the values of some columns, joined.
func (r *running) rowsOf(t *testing.T, shape string, person demo.Person, columns []string) (rows []string) {
	t.Helper()
	path := "/v1/shapes/"
	if shape == "document_actions" {
		path = "/v1/grants/"
	}
	status, _, body := r.getAs(t, r.public+path+shape+"?offset=-1", person.Subject, person.Claims)
	if status == http.StatusForbidden {
		return nil
	}
	var messages []struct{ Value map[string]string }
	if err := json.Unmarshal([]byte(body), &messages); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s: %v", shape, status, body, err)
	}
	for _, m := range messages {
		if m.Value == nil {
			continue
		}
		var values []string
		for _, c := range columns {
			values = append(values, m.Value[c])
		}
		rows = append(rows, strings.Join(values, "/"))
	}
	return rows
}

// What is explained is what clients get, of each row and each person.
func TestExplanationsAreOfWhatClientsGet(t *testing.T) {
	r := startDemoGateway(t)
	people := append(demo.People(), demo.Person{Subject: "alice"}, demo.Person{Subject: "dave"})
	keys := map[string][]string{
		"documents": {doc("1")[0], doc("2")[0], doc("3")[0], doc("4")[0], doc("5")[0], doc("6")[0], doc("7")[0], doc("8")[0], doc("9")[0]},
		"projects":  {"atlas", "borealis", "comet", "dune"},
		"salaries":  {"5a1a0000-0000-4000-8000-000000000001", "5a1a0000-0000-4000-8000-000000000002"},
		"notes":     {"n/1", "n/2", "n/3", "n/4"},
	}
	keys["project_feed"] = keys["documents"]
	keys["document_actions"] = keys["documents"]
	seen := 0
	for shape, ids := range keys {
		columns := []string{"id"}
		if shape == "notes" {
			columns = []string{"id", "part"}
		}
		for _, person := range people {
			rows := r.rowsOf(t, shape, person, columns)
			seen += len(rows)
			for _, id := range ids {
				q := url.Values{"subject": {"user:" + person.Subject}, "shape": {shape}, "id": strings.Split(id, "/")}
				for name, value := range person.Claims {
					q.Add("claim", fmt.Sprintf("%s=%v", name, value))
				}
				status, _, body := r.get(t, r.admin+"/explain?"+q.Encode())
				var e explain.Explanation
				if err := json.Unmarshal([]byte(body), &e); err != nil || status != http.StatusOK {
					t.Fatalf("%d %s: %v", status, body, err)
				}
				if got := slices.Contains(rows, id); got != e.Visible {
					t.Errorf("%s %v, %s %s: the client gets it: %v; explained as %s", person.Subject, person.Claims, shape, id, got, e.Reason)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d rows were seen in all", seen)
	}
}

func TestTheExplainRoute(t *testing.T) {
	r := startDemoGateway(t)
	ask := func(query string) (int, string) {
		status, _, body := r.get(t, r.admin+"/explain?"+query)
		return status, body
	}
	good := "subject=user:bob&shape=documents&id=" + doc("4")[0]
	if status, body := ask(good + "&format=text"); status != http.StatusOK || !strings.HasPrefix(body, "user:bob sees the row ") {
		t.Errorf("a text: %d %s", status, body)
	}
	for query, want := range map[string]string{
		"":                                    "say who, as in user:bob",
		"subject=user:bob&shape=nope&id=1":    `there is no shape or collection of grants \"nope\"`,
		good + "&sheape=x":                    `\"sheape\" is none of the keys`,
		good + "&shape=projects":              "shape is given more than once",
		good + "&claim=x":                     "claim: give name=value",
		"subject=user:*&shape=documents&id=1": "say who",
		"subject=%zz":                         "not well-formed",
	} {
		if status, body := ask(query); status != http.StatusBadRequest || !strings.Contains(body, want) || strings.Contains(body, "invalid:") {
			t.Errorf("%s: %d %s, want %s", query, status, body, want)
		}
	}
	if status, _, _ := r.get(t, r.public+"/explain?"+good); status != http.StatusNotFound {
		t.Errorf("it is public: %d", status)
	}
	r.engine.Pause()
	if status, body := ask(good); status != http.StatusServiceUnavailable || !strings.Contains(body, "SPICEDB_ENDPOINT") || strings.Contains(body, "127.0.0.1") {
		t.Errorf("without SpiceDB: %d %s", status, body)
	}
}
