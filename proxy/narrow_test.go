package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/schema"
)

// What a client writes in shapeOptions.params narrows what it is sent, and never widens it.
func TestAClientNarrowsTheRowsAndColumnsOfItsLog(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	path := "/v1/shapes/documents?" + query("where", `"title" = $1 OR "title" = 'three'`, "params[1]", "one", "columns", `id,"title"`) + "&"
	first := alice.get(path + "offset=-1").holds("d1")
	for _, m := range first.messages() {
		if _, ok := m.Value["project"]; ok {
			t.Errorf("a column that was not asked for: %v", m.Value)
		}
	}
	poll := alice.hold(path + "live=true&" + first.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET project = 'p9' WHERE id = $1", full("d1"))
	d.exec("UPDATE documents SET title = 'one' WHERE id = $1", full("d2"))
	d.exec("UPDATE documents SET title = 'one' WHERE id = $1", full("d4")) // not hers
	last := poll.answer()
	list := append([]message(nil), last.messages()...)
	for len(inserted(list)) == 0 {
		last = alice.get(path + "live=true&" + last.onward())
		list = append(list, last.messages()...)
	}
	equal(t, inserted(list), map[string]bool{"d2": true})
	d.grant(sees("alice", "d3"), sees("alice", "d4"))
	alice.get(path + last.onward()).is(http.StatusOK)
	alice.get(path+"offset=-1").holds("d1", "d2", "d3", "d4")
	alice.post(path+first.onward(), `{"where":"\"title\" = 'one'"}`).holds("d1", "d2")

	// The handle is good for this narrowing alone.
	alice.get("/v1/shapes/documents?" + first.onward()).mustRefetch(first)
	alice.get("/v1/shapes/documents?" + query("where", `true`) + "&" + first.onward()).mustRefetch(first)
}

func TestANarrowingThatIsNotAllowedIsNamed(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	for q, field := range map[string]string{
		query("where", `"secret" = 'x'`):                 "where",
		query("where", `"title" = $1`):                   "where",
		query("where", `pg_sleep(1) IS NULL`):            "where",
		query("columns", "id,secret"):                    "columns",
		query("columns", "title"):                        "columns", // without the key
		query("params[1]", "x"):                          "params",
		query("where", `"title" = $1`, "params[0]", "x"): "params[0]",
	} {
		for _, read := range []string{"offset=-1", "offset=now"} {
			alice.get("/v1/shapes/documents?"+q+"&"+read).refused(http.StatusBadRequest, field)
		}
	}
	d.upstream.forget()
	alice.get("/v1/shapes/documents?"+query("where", `"project" = 'p1' OR true`)+"&offset=-1").holds("d1", "d2")
}

// The positions of a narrowed log tell that a row which meets the where was written. Where
// that is too much, the shape refuses.
func TestAShapeRefusesToBeNarrowed(t *testing.T) {
	shapes, err := schema.Parse("shapes.yaml", []byte(strings.ReplaceAll(shapesYAML, "    table: documents\n", "    table: documents\n    narrowing: refused\n")))
	if err != nil {
		t.Fatal(err)
	}
	d := deploy(t, configured(func(c *proxy.Config) { c.Shapes = shapes }))
	alice := d.as("alice")
	for q, field := range map[string]string{
		query("where", "true"):                             "where",
		query("where", `"title" = $1`, "params[1]", "one"): "where",
		query("columns", "id,title"):                       "columns",
		query("params[1]", "one"):                          "params",
	} {
		for _, read := range []string{"offset=-1", "offset=now"} {
			alice.get("/v1/shapes/documents?"+q+"&"+read).refused(http.StatusBadRequest, field)
		}
	}
	first := alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	alice.post("/v1/shapes/documents?"+first.onward(), `{"where":"\"title\" = 'one'"}`).holds("d1")
}

// Electric makes a shape for each where, and keeps it: whatever a client asks of a narrowed
// log, one subject cannot have it make any number of them.
func TestTheNarrowingsOfOneSubjectAreBounded(t *testing.T) {
	for kind, ask := range map[string]func(r reader, path string) *answer{
		"a first read": func(r reader, path string) *answer { return r.get(path + "&offset=-1") },
		"a position":   func(r reader, path string) *answer { return r.get(path + "&offset=now") },
		"a subset":     func(r reader, path string) *answer { return r.post(path+"&offset=now", `{"where":"true"}`) },
	} {
		t.Run(kind, func(t *testing.T) {
			d := deploy(t, configured(func(c *proxy.Config) { c.Feeds = feed.Config{PerSubject: 2} }))
			alice := d.as("alice")
			path := func(i int) string {
				return "/v1/shapes/documents?" + query("where", `"title" = $1`, "params[1]", fmt.Sprint(i))
			}
			for i := range 2 {
				ask(alice, path(i)).is(http.StatusOK)
			}
			ask(alice, path(2)).refused(http.StatusTooManyRequests, "")
			ask(alice, path(1)).is(http.StatusOK)
		})
	}
}
