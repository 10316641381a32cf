package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/proxy"
)

// Two replicas know nothing of each other. What a client holds is in its handle: so the
// one that answers next sends what the other would have sent.

// A snapshot that one replica has sent makes messages late for the other one too.
func TestAnotherReplicaDoesNotSendThePastOfAGrantedRow(t *testing.T) {
	for _, live := range []string{"", "live=true&", sse} {
		d := deploy(t)
		alice, path := d.as("alice"), "/v1/shapes/documents?"
		first := alice.get(path + "offset=-1")
		d.electric.FallBehind()
		d.exec("UPDATE documents SET title = 'a draft' WHERE id = $1", full("d3"))
		d.exec("UPDATE documents SET title = 'clean' WHERE id = $1", full("d3"))
		d.grant(sees("alice", "d3"))
		at := alice.get(path+first.onward()).says("insert d3", "snapshot-end", "up-to-date")
		d.electric.CatchUp()
		d.replica(nil)
		d.exec("UPDATE documents SET title = 'newest' WHERE id = $1", full("d3"))
		want := []string{"update d3 title=newest", "up-to-date"}
		if live == sse {
			for _, m := range alice.stream(path + sse + at.onward()).says(want...) {
				if strings.Contains(textOf(m.OldValue["title"]), "draft") {
					t.Errorf("old value %s", *m.OldValue["title"])
				}
			}
			continue
		}
		if a := alice.get(path + live + at.onward()).says(want...); strings.Contains(string(a.body), "draft") {
			t.Errorf("sent %s", a.body)
		}
	}
}

// A row leaves a project while the project is taken away. The replica that hears of it
// late sees neither end in reach; the handle says that the client may hold the row.
func TestAnotherReplicaDeletesARowThatLeftWhatWasLost(t *testing.T) {
	for _, live := range []string{"", "live=true&", sse} {
		d := deploy(t)
		alice, path := d.as("alice"), "/v1/shapes/tasks?"
		first := alice.get(path+"offset=-1").holds("a1", "a4")
		d.electric.FallBehind()
		d.exec("UPDATE tasks SET project = 'p9' WHERE id = $1", full("a1"))
		d.revoke("project:p1#viewer@user:alice")
		at := alice.get(path+first.onward()).says("delete a4", "snapshot-end", "up-to-date")
		d.electric.CatchUp()
		d.replica(nil)
		if live == sse {
			alice.stream(path+sse+at.onward()).says("delete a1", "up-to-date")
			continue
		}
		alice.get(path+live+at.onward()).says("delete a1", "up-to-date")
	}
}

// The old grants are looked up at the revision that the handle names.
func TestAReplicaThatNeverSawTheOldGrantsResyncs(t *testing.T) {
	for _, live := range []string{"", "live=true&", sse} {
		d := deploy(t)
		alice, path := d.as("alice"), "/v1/shapes/documents?"
		first := alice.get(path + "offset=-1")
		d.grant(sees("alice", "d3"))
		d.revoke(sees("alice", "d1"))
		d.replica(nil)
		want := []string{"delete d1", "insert d3", "snapshot-end", "up-to-date"}
		if live == sse {
			alice.stream(path + sse + first.onward()).says(want...)
			continue
		}
		alice.get(path + live + first.onward()).says(want...)
	}
}

// A stream's resync may have arrived or not. Any replica reads from handle and offset
// which of the two it was.
func TestAnotherReplicaKnowsWhetherAResyncArrived(t *testing.T) {
	d := deploy(t)
	alice, path := d.as("alice"), "/v1/shapes/documents?"
	first := alice.get(path + "offset=-1")
	d.grant(sees("alice", "d3"))
	s := alice.stream(path + sse + first.onward())
	before := s.onward()
	s.says("insert d3", "snapshot-end", "up-to-date")
	after := s.onward()
	d.revoke(sees("alice", "d3"))
	d.grant(sees("alice", "d4"))
	d.replica(nil)
	alice.get(path+after).says("delete d3", "insert d4", "snapshot-end", "up-to-date")
	// It may have arrived: the delete is sent, whether or not there is something to delete.
	alice.get(path+before).says("delete d3", "insert d4", "snapshot-end", "up-to-date")
	d.revoke(sees("alice", "d4"))
	alice.get(path+after).says("delete d3", "up-to-date")
	alice.get(path+before).says("delete d3", "up-to-date")
}

// A subset carries no rows but those that the handle names: another replica could not
// know of them.
func TestASubsetBringsNothingThatItsHandleDoesNotName(t *testing.T) {
	d := deploy(t)
	alice, path := d.as("alice"), "/v1/shapes/documents?log=changes_only&"
	first := alice.get(path + "offset=now")
	d.grant(sees("alice", "d3"))
	for range 2 {
		a := alice.post(path+first.onward(), `{"where":"true"}`).holds("d1", "d2")
		if a.handle() != first.handle() || a.offset() != first.offset() {
			t.Error("the subset does not echo handle and offset")
		}
		d.replica(nil)
	}
	d.revoke(sees("alice", "d1"))
	last := first
	for range 2 {
		last = alice.post(path+last.onward(), `{"where":"true"}`).holds("d2")
		d.replica(nil)
	}
	for _, at := range []*answer{first, last} {
		alice.get(path+at.onward()).says("delete d1", "insert d3", "snapshot-end", "up-to-date")
	}
}

// A subset leaves out what was served and is lost. The handle of its answer says so: given
// back through a group, the rows come with the next read of the log, at whatever replica.
func TestWhatASubsetLeavesOutComesWhenItIsGivenBack(t *testing.T) {
	d := deploy(t, granting("group:staff#member@user:alice", "document:"+full("d3")+"#viewer@group:staff#member"))
	alice, path := d.as("alice"), "/v1/shapes/documents?log=changes_only&"
	first := alice.get(path + "offset=now")
	d.revoke("group:staff#member@user:alice")
	a := alice.post(path+first.onward(), `{"where":"true"}`).holds("d1", "d2") // and not d3
	d.grant("group:staff#member@user:alice")
	d.replica(nil)
	alice.get(path+a.onward()).says("insert d3", "snapshot-end", "up-to-date")
}

// A subset is never answered 409: the client would only swap its handle, and keep its rows.
func TestASubsetWithAHandleThatIsNotGoodHasNoRows(t *testing.T) {
	d := deploy(t)
	alice, path := d.as("alice"), "/v1/shapes/documents?log=changes_only&"
	first := alice.get(path + "offset=now")
	for _, handle := range []string{"made-up", first.handle()[:len(first.handle())-2], d.as("bob").get(path + "offset=now").handle()} {
		alice.post(path+"handle="+handle+"&offset="+first.offset(), `{"where":"true"}`).holds()
		alice.get(path + "handle=" + handle + "&offset=" + first.offset()).mustRefetch(first)
	}
}

// Nor where more was lost, one after the other, than a handle can name: a client that keeps
// asking is answered, and begins anew with the next read of its log.
func TestSubsetsThatLoseMoreThanAHandleNamesAreAnswered(t *testing.T) {
	d := deploy(t)
	alice, path := d.as("alice"), "/v1/shapes/documents?log=changes_only&"
	first := alice.get(path + "offset=now")
	d.revoke(sees("alice", "d1"))
	last := first
	for i := range 6 {
		d.grant(sees("alice", fmt.Sprint("x", i))) // other grants each time
		last = alice.post(path+last.onward(), `{"where":"true"}`).is(http.StatusOK)
		if i < 4 {
			last.holds("d2")
		}
	}
	alice.get(path+last.onward()).mustRefetch(first, last)
}

// Long-polls that alternate between two replicas, while grants and rows change.
func TestTwoReplicasBehindARoundRobinCostNobodyARefetch(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.LongPollTimeout = 100 * time.Millisecond }))
	urls := []string{d.url}
	d.replica(nil)
	urls = append(urls, d.url)
	at := func(i int) reader { d.url = urls[i%2]; return d.as("alice") }
	path := "/v1/shapes/documents?"
	last := at(0).get(path + "offset=-1")
	rows := map[string]string{"d1": "one", "d2": "two"}
	apply := func(a *answer) {
		for _, m := range a.messages() {
			switch m.Headers.Operation {
			case "insert", "update":
				if title, ok := m.Value["title"]; ok {
					rows[m.id()] = textOf(title)
				}
			case "delete":
				delete(rows, m.id())
			}
		}
	}
	for i := range 40 {
		doc := "d" + string(rune('1'+i%4))
		switch i % 3 {
		case 0:
			d.grantUnheard(sees("alice", doc))
		case 1:
			d.revokeUnheard(sees("alice", doc))
		default:
			d.execUnread("UPDATE documents SET title = title || '+' WHERE id = $1", full(doc))
		}
		live := ""
		if i%2 == 0 {
			live = "live=true&"
		}
		a := at(i).with("Shapegate-At-Least-As-Fresh", d.write("room:fresh#viewer@user:nobody")).get(path + live + last.onward())
		if a.status != http.StatusOK {
			t.Fatalf("step %d: status %d: %s", i, a.status, a.body)
		}
		apply(a)
		last = a
	}
	d.read()
	fresh := d.write("room:fresh#viewer@user:noone")
	for i := range 4 {
		last = at(i).with("Shapegate-At-Least-As-Fresh", fresh).get(path + last.onward())
		apply(last)
	}
	want := map[string]string{}
	for _, m := range at(0).get(path + "offset=-1").messages() {
		if m.Headers.Operation == "insert" {
			want[m.id()] = textOf(m.Value["title"])
		}
	}
	equal(t, rows, want)
}

// A resync that was cut did not keep what was interrupted. A replica that saw no
// interruption brings it all the same: what the lost snapshot has seen of it comes no more.
func TestWhatACutResyncDidNotKeepComesAtAnotherReplica(t *testing.T) {
	const viewer = "project:p1#viewer@user:alice"
	d := deploy(t)
	f := d.follow("alice", "tasks")
	d.check(f.read(d.context(), d.url, neverCut))
	d.revoke(viewer)
	d.grant(viewer)
	d.exec("INSERT INTO tasks (id, project, title) VALUES ($1, 'p1', 'new')", full("a7"))
	const nothing = 1 // of the body
	d.check(f.stream(d.context(), d.cutting(d.url), nothing, func() bool { return false }))
	d.replica(nil)
	d.check(f.read(d.context(), d.url, neverCut))
	if !strings.Contains(f.rows["a7"], "new") {
		t.Errorf("holds %v after %s", f.rows, f.sent)
	}
}
