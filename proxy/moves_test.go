package proxy_test

import (
	"strings"
	"testing"
)

func TestNULLIsNeverPermitted(t *testing.T) {
	d := deploy(t, granting("project:NULL#viewer@user:alice", "project:null#viewer@user:alice"))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/tasks?offset=-1").holds("a1", "a4")
	d.exec("UPDATE tasks SET title = 'changed' WHERE id = $1", full("a3"))
	alice.get("/v1/shapes/tasks?" + first.onward()).says("up-to-date")
	alice.post("/v1/shapes/tasks", `{"where":"\"project\" IS NULL"}`).holds()
}

func TestRowsMoveInAndOut(t *testing.T) {
	for name, tt := range map[string]struct {
		id, project string // where the row goes; empty: NULL
		want        []string
	}{
		"in":            {"a2", "p1", []string{"insert a2"}},
		"in from NULL":  {"a3", "p1", []string{"insert a3"}},
		"out":           {"a1", "p2", []string{"delete a1"}},
		"out to NULL":   {"a1", "", []string{"delete a1"}},
		"elsewhere":     {"a2", "p3", nil},
		"among nothing": {"a3", "p3", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			alice := d.as("alice")
			first := alice.get("/v1/shapes/tasks?offset=-1").holds("a1", "a4")
			var project any
			if tt.project != "" {
				project = tt.project
			}
			d.exec("UPDATE tasks SET title = 'moved', project = $1 WHERE id = $2", project, full(tt.id))
			a := alice.get("/v1/shapes/tasks?" + first.onward()).says(append(tt.want, "up-to-date")...)
			if strings.Contains(string(a.body), "old_value") || strings.Contains(string(a.body), "p2") || strings.Contains(string(a.body), "p3") {
				t.Errorf("it says where the row came from, or went: %s", a.body)
			}
		})
	}
}

// What a row was before it came in was never the reader's to see, nor is what
// becomes of it once it has left.
func TestAMoveSendsNothingOfTheOtherSide(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/tasks?offset=-1")
	d.exec("UPDATE tasks SET title = 'his draft' WHERE id = $1", full("a2"))
	d.exec("UPDATE tasks SET title = 'for both', project = 'p1' WHERE id = $1", full("a2"))
	d.exec("UPDATE tasks SET title = 'his again', project = 'p2' WHERE id = $1", full("a2"))
	a := alice.get("/v1/shapes/tasks?"+first.onward()).says("insert a2", "delete a2", "up-to-date")
	if strings.Contains(string(a.body), "draft") || strings.Contains(string(a.body), "his again") || strings.Contains(string(a.body), "p2") {
		t.Errorf("it names the other side: %s", a.body)
	}
	if got := *a.messages()[1].Value["title"]; got != "for both" {
		t.Errorf("the delete has the title %q, not the one that the reader knew", got)
	}
}

func TestAMoveIsSeenLive(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/tasks?offset=-1")
	poll := alice.hold("/v1/shapes/tasks?live=true&" + first.onward())
	d.waitHeld(1)
	d.exec("UPDATE tasks SET project = NULL WHERE id = $1", full("a1"))
	poll.answer().says("delete a1", "up-to-date")
}

func TestEitherOfTwoFiltersWillDo(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice") // sees a2 by itself, and what is in p1
	first := alice.get("/v1/shapes/mixed?offset=-1").holds("a1", "a2", "a4")
	alice.post("/v1/shapes/mixed", `{"where":"\"title\" = 'one'"}`).holds("a1")
	alice.post("/v1/shapes/mixed", `{"where":"\"title\" = 'two' OR \"title\" = 'three'"}`).holds("a2")

	d.exec("UPDATE tasks SET project = 'p1' WHERE id = $1", full("a2")) // by both now
	d.exec("UPDATE tasks SET project = 'p9' WHERE id = $1", full("a2")) // by itself again
	d.exec("UPDATE tasks SET project = 'p9' WHERE id = $1", full("a1")) // by neither
	alice.get("/v1/shapes/mixed?"+first.onward()).says(
		"update a2 project=p1 title=two", "update a2 project=p9 title=two", "delete a1", "up-to-date")
}

func TestAChangeOfKeyIsADeleteAndAnInsert(t *testing.T) {
	d := deploy(t, granting(sees("alice", "d8")))
	alice, bob := d.as("alice"), d.as("bob")
	first, his := alice.get("/v1/shapes/documents?offset=-1"), bob.get("/v1/shapes/documents?offset=-1")

	d.exec("UPDATE documents SET id = $1 WHERE id = $2", full("d8"), full("d1")) // alice's to alice's
	d.exec("UPDATE documents SET id = $1 WHERE id = $2", full("d9"), full("d2")) // alice's to one that is not granted
	d.exec("UPDATE documents SET id = $1 WHERE id = $2", full("d2"), full("d3")) // bob's to alice's

	a := alice.get("/v1/shapes/documents?"+first.onward()).
		says("delete d1", "insert d8", "delete d2", "insert d2", "up-to-date")
	var to, from []string
	for _, m := range a.messages() {
		to, from = append(to, m.Headers.KeyChangeTo), append(from, m.Headers.KeyChangeFrom)
	}
	key := func(id string) string { return `"public"."documents"/"` + full(id) + `"` }
	equal(t, to, []string{key("d8"), "", "", "", ""})
	equal(t, from, []string{"", key("d1"), "", "", ""})

	b := bob.get("/v1/shapes/documents?"+his.onward()).says("delete d3", "up-to-date")
	for _, stranger := range []string{full("d1"), full("d2"), full("d8"), full("d9")} {
		if strings.Contains(string(a.body)+string(b.body), full("d9")) || strings.Contains(string(b.body), stranger) {
			t.Errorf("a row is named that is not the reader's: %s %s", a.body, b.body)
		}
	}
}

// A key does not have a column that is not of it, so the other row stays unnamed.
func TestAKeyChangeIsNotNamedWhereTheKeyDoesNotDecideVisibility(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/tasks?offset=-1")
	d.exec("UPDATE tasks SET id = $1, project = 'p2' WHERE id = $2", full("a9"), full("a1"))
	a := alice.get("/v1/shapes/tasks?"+first.onward()).says("delete a1", "up-to-date")
	if strings.Contains(string(a.body), "key_change") {
		t.Errorf("%s", a.body)
	}
}

func TestACompositeKeyIsFilteredByAPartOfIt(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/members?offset=-1").holds("p1/alice", "p1/bob")
	d.exec("UPDATE members SET role = 'lead' WHERE person = 'bob'")
	d.exec("UPDATE members SET person = 'bert' WHERE person = 'bob'")
	d.exec("UPDATE members SET project = 'p2' WHERE person = 'alice'")
	a := alice.get("/v1/shapes/members?"+first.onward()).says(
		"update p1/bob project=p1 role=lead", "delete p1/bob", "insert p1/bert", "delete p1/alice", "up-to-date")
	if text := string(a.body); strings.Contains(text, "p2") || !strings.Contains(text, "key_change_to") {
		t.Errorf("%s", text)
	}
}

func TestTextIdsAreTakenAsTheyAre(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/notes?offset=-1").holds("a/b", "Plain", "null")
	d.exec("UPDATE notes SET body = 'x'")
	alice.get("/v1/shapes/notes?"+first.onward()).
		says("update a/b body=x", "update Plain body=x", "update null body=x", "up-to-date")
}
