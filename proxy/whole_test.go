package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/schema"
)

// whole reads a log from its beginning until it is up to date.
func (r reader) whole(path string) (list []message, last *answer) {
	r.d.t.Helper()
	last = r.get(path + "offset=-1")
	for range 1000 {
		list = append(list, last.messages()...)
		if last.upToDate() {
			return list, last
		}
		last = r.get(path + last.onward())
	}
	r.d.t.Fatal("the log does not end")
	return nil, nil
}

func inserted(list []message) map[string]bool {
	rows := map[string]bool{}
	for _, m := range list {
		if m.Headers.Operation == "insert" {
			rows[m.id()] = true
		}
	}
	return rows
}

func TestAReaderThatSeesEveryRowReadsALongLogInItsParts(t *testing.T) {
	for name, who := range map[string]struct{ person, shape string }{
		"the unrestricted": {"carol", "office"},
		"a gate alone":     {"alice", "board"},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, standIn(func(o *electrictest.Options) { o.ChunkBytes = 150 }))
			r, path := d.as(who.person), "/v1/shapes/"+who.shape+"?"
			d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d4"))
			list, last := r.whole(path)
			equal(t, inserted(list), map[string]bool{"d1": true, "d2": true, "d3": true, "d4": true})
			d.exec("UPDATE documents SET title = 'newer'")
			list = r.wholeFrom(path, last)
			equal(t, inShort(list), []string{
				"update d1 title=newer", "update d2 title=newer", "update d3 title=newer", "update d4 title=newer", "up-to-date"})
		})
	}
}

// wholeFrom reads on until the log is up to date.
func (r reader) wholeFrom(path string, at *answer) (list []message) {
	r.d.t.Helper()
	for range 1000 {
		at = r.get(path + at.onward())
		list = append(list, at.messages()...)
		if at.upToDate() {
			return list
		}
	}
	r.d.t.Fatal("the log does not end")
	return nil
}

func TestASubsetOfAReaderThatSeesEveryRowHasNoFilter(t *testing.T) {
	d := deploy(t)
	d.as("carol").post("/v1/shapes/office", `{"where":"\"title\" > 'o'"}`).holds("d1", "d2", "d3")
	d.as("alice").post("/v1/shapes/board", `{"where":"true"}`).holds("d1", "d2", "d3", "d4")
	d.as("alice").post("/v1/shapes/office", `{"where":"\"title\" > 'o'"}`).holds("d1", "d2")
}

func TestToLoseUnrestrictedIsAChangeOfGrants(t *testing.T) {
	d := deploy(t, granting("workspace:main#member@user:carol", sees("carol", "d3")))
	carol, path := d.as("carol"), "/v1/shapes/office?"
	_, at := carol.whole(path)
	poll := carol.hold(path + "live=true&" + at.onward())
	d.waitHeld(1)
	d.revoke("workspace:main#admin@user:carol")
	d.exec("UPDATE documents SET title = 'not for carol' WHERE id = $1", full("d1"))
	poll.answer().mustRefetch(at)
	carol.get(path + at.onward()).mustRefetch(at)
	restricted := carol.get(path + "offset=-1").holds("d3")
	d.grant("workspace:main#admin@user:carol")
	carol.get(path + restricted.onward()).mustRefetch(restricted)
}

func TestAReaderThatLosesTheGateIsForbidden(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	for _, shape := range []string{"board", "office"} {
		d.grant("workspace:main#member@user:alice")
		path := "/v1/shapes/" + shape + "?"
		at := alice.get(path + "offset=-1").is(http.StatusOK)
		d.revoke("workspace:main#member@user:alice")
		alice.get(path+at.onward()).refused(http.StatusForbidden, "")
		alice.get(path+"live=true&"+at.onward()).refused(http.StatusForbidden, "")
		alice.get(path+"offset=-1").refused(http.StatusForbidden, "")
		alice.post(path, `{"where":"true"}`).refused(http.StatusForbidden, "")
	}
	d.as("mallory").get("/v1/shapes/office?offset=-1").refused(http.StatusForbidden, "")
}

func TestAContainersRowsAreForItsHolders(t *testing.T) {
	d := deploy(t)
	alice, path := d.as("alice"), "/v1/shapes/project_tasks?project=p1&"
	list, at := alice.whole(path)
	equal(t, inserted(list), map[string]bool{"a1": true, "a4": true})
	alice.get("/v1/shapes/project_tasks?project=p2&offset=-1").refused(http.StatusForbidden, "")
	alice.get("/v1/shapes/project_tasks?project=p9&offset=-1").refused(http.StatusForbidden, "")
	d.exec("UPDATE tasks SET project = 'p1' WHERE id = $1", full("a2"))
	d.exec("UPDATE tasks SET title = 'elsewhere' WHERE id = $1", full("a3"))
	list = alice.wholeFrom(path, at)
	equal(t, inShort(list), []string{"insert a2", "up-to-date"})
	alice.post("/v1/shapes/project_tasks?project=p1", `{"where":"\"title\" = 'one' OR \"title\" = 'three'"}`).holds("a1")
}

func TestAParamThatIsMissingOrCannotBeIsNamed(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	for _, q := range []string{"", "project=", "project=a%20b", "project=%2A", "project=p1%27%20OR%20true--", "Project=p1", "params[project]=p1"} {
		alice.get("/v1/shapes/project_tasks?offset=-1&"+q).refused(http.StatusBadRequest, "project")
		alice.post("/v1/shapes/project_tasks?"+q, `{"where":"true","project":"p1"}`).refused(http.StatusBadRequest, "project")
	}
	// An object that is there, and that the column cannot hold.
	alice.get("/v1/shapes/talks?offset=-1&room=lobby").refused(http.StatusBadRequest, "room")
	alice.get("/v1/shapes/talks?offset=-1&room=1").holds("b1")
	alice.get("/v1/shapes/talks?offset=-1&room=2").refused(http.StatusForbidden, "")
}

// Were it a 409, the client would begin anew, and be answered the same for ever.
func TestAParamThatCannotBeIsNamedByAStoredLogToo(t *testing.T) {
	stored := strings.Replace(shapesYAML, `where: "room = $room"`, "where: \"room = $room\"\n    first_read: stored", 1)
	shapes, err := schema.Parse("shapes.yaml", []byte(stored))
	if err != nil {
		t.Fatal(err)
	}
	alice := deploy(t, configured(func(c *proxy.Config) { c.Shapes = shapes })).as("alice")
	for range 2 { // while the table is not known, and once it is
		alice.get("/v1/shapes/talks?offset=-1&room=lobby").refused(http.StatusBadRequest, "room")
		alice.get("/v1/shapes/talks?offset=-1&room=1").holds("b1")
	}
}

func TestTheHandleOfAnotherContainerIsRefused(t *testing.T) {
	d := deploy(t, granting("project:p2#viewer@user:alice"))
	alice, path := d.as("alice"), "/v1/shapes/project_tasks?project="
	_, at := alice.whole(path + "p1&")
	d.upstream.forget()
	alice.get(path + "p2&" + at.onward()).mustRefetch(at)
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %+v", asked)
	}
}

// Where a chunk ends with the stored snapshot's last row, snapshot-end comes in a
// chunk of its own: with nothing around it, or before the first change.
func TestNoChunkLosesTheEndOfTheSnapshot(t *testing.T) {
	for _, size := range []int{1, 150, 300, 600, 1 << 20} {
		d := deploy(t, standIn(func(o *electrictest.Options) { o.ChunkBytes = size }))
		path := "/v1/shapes/board?"
		first := d.as("alice").get(path + "offset=-1") // so that the feed is there
		d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d1"))
		list := d.as("alice").wholeFrom(path, first)
		ends := 0
		for _, m := range append(first.messages(), list...) {
			if m.Headers.Control == "snapshot-end" {
				ends++
			}
		}
		if ends != 1 {
			t.Errorf("in chunks of %d bytes: %d times snapshot-end in %q", size, ends, inShort(list))
		}
	}
}
