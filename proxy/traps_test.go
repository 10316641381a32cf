package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/proxy"
)

// A grant covers the present of a row, not its past.

func TestWhatWasWrittenBeforeAGrantIsNotSent(t *testing.T) {
	for _, tt := range []struct {
		name, shape, grant, write string
		want                      []string
	}{
		{
			"a filter on the key", "documents", sees("alice", "d3"), "UPDATE documents SET title = $1 WHERE id = '" + full("d3") + "'",
			[]string{"insert d3", "snapshot-end", "up-to-date"},
		},
		{
			"a filter on another column", "tasks", "project:p2#viewer@user:alice", "UPDATE tasks SET title = $1 WHERE id = '" + full("a2") + "'",
			[]string{"insert a2", "snapshot-end", "up-to-date"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := deploy(t)
			alice, path := d.as("alice"), "/v1/shapes/"+tt.shape+"?"
			first := alice.get(path + "offset=-1")
			d.exec(tt.write, "a draft")
			d.exec(tt.write, "clean")
			d.grant(tt.grant)
			for _, a := range []*answer{alice.get(path + first.onward()), alice.get(path + "live=true&" + first.onward())} {
				a.says(tt.want...)
				if text := string(a.body); strings.Contains(text, "draft") || !strings.Contains(text, "clean") {
					t.Errorf("sent %s", text)
				}
			}
			s := alice.stream(path + sse + first.onward())
			for _, m := range s.says(tt.want...) {
				if m.Headers.Operation == "insert" && *m.Value["title"] != "clean" {
					t.Errorf("sent %s", *m.Value["title"])
				}
			}
		})
	}
}

func TestWhatWasWrittenWhileAGrantWasTakenAwayIsNotSent(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.revoke(sees("alice", "d1"))
	d.exec("UPDATE documents SET title = 'a draft' WHERE id = $1", full("d1"))
	d.exec("UPDATE documents SET title = 'clean' WHERE id = $1", full("d1"))
	d.exec("UPDATE documents SET title = 'hers' WHERE id = $1", full("d2"))
	d.grant(sees("alice", "d1"))
	a := alice.get("/v1/shapes/documents?"+first.onward()).
		says("update d2 title=hers", "insert d1", "snapshot-end", "up-to-date")
	if strings.Contains(string(a.body), "draft") {
		t.Errorf("sent %s", a.body)
	}
}

func TestARowThatMovesIntoWhatIsGrantedHasNoPast(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/tasks?offset=-1").holds("a1", "a4")
	d.exec("UPDATE tasks SET project = 'p2', title = 'a secret of p2' WHERE id = $1", full("a3"))
	d.exec("UPDATE tasks SET project = 'p1', title = 'open' WHERE id = $1", full("a3"))
	a := alice.get("/v1/shapes/tasks?"+first.onward()).says("insert a3", "up-to-date")
	if strings.Contains(string(a.body), "secret of p2") {
		t.Errorf("sent %s", a.body)
	}
}

// Electric's log runs behind the table: what a snapshot has seen comes later.

func TestALateMessageDoesNotSendThePastOfAGrantedRow(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.electric.FallBehind()
		l.d.exec("UPDATE documents SET title = 'a draft' WHERE id = $1", full("d3"))
		l.d.exec("UPDATE documents SET title = 'clean' WHERE id = $1", full("d3"))
		l.d.grant(sees("alice", "d3"))
		l.says("insert d3", "snapshot-end", "up-to-date")
		l.d.electric.CatchUp()
		l.d.read()
		l.d.exec("UPDATE documents SET title = 'newest' WHERE id = $1", full("d3"))
		l.says("update d3 title=newest", "up-to-date")
	})
}

func TestALateMessageDoesNotSendThePastAfterAFurtherGrant(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.electric.FallBehind()
		l.d.exec("UPDATE documents SET title = 'a draft' WHERE id = $1", full("d3"))
		l.d.grant(sees("alice", "d3"))
		l.says("insert d3", "snapshot-end", "up-to-date")
		l.d.grant(sees("alice", "d4"))
		l.says("insert d4", "snapshot-end", "up-to-date")
		l.d.electric.CatchUp()
		l.d.read()
		l.d.exec("UPDATE documents SET title = 'newest' WHERE id = $1", full("d3"))
		l.says("update d3 title=newest", "up-to-date")
	})
}

func TestALateMessageDeletesALostRowThatLeft(t *testing.T) {
	eachKindOfWaiting(t, "tasks", alice, func(l *heldLog) {
		l.d.electric.FallBehind()
		l.d.exec("UPDATE tasks SET project = 'p2' WHERE id = $1", full("a1")) // which she holds
		l.d.revoke("project:p1#viewer@user:alice")
		l.says("delete a4", "snapshot-end", "up-to-date")
		l.d.electric.CatchUp()
		l.d.read()
		l.says("delete a1", "up-to-date")
	})
}

// A row leaves what its reader has and comes into what it is granted: the snapshot has
// brought it by the time the log has that it left.
func TestALateMessageDoesNotTakeAwayARowThatWentOn(t *testing.T) {
	eachKindOfWaiting(t, "tasks", alice, func(l *heldLog) {
		l.d.electric.FallBehind()
		l.d.exec("UPDATE tasks SET project = 'nobodys' WHERE id = $1", full("a1"))
		l.d.exec("UPDATE tasks SET project = 'p2' WHERE id = $1", full("a1"))
		l.d.grant("project:p2#viewer@user:alice")
		l.says("insert a1", "insert a2", "snapshot-end", "up-to-date")
		l.d.electric.CatchUp()
		l.d.read()
		l.says("insert a1", "up-to-date") // the present state, asked for once more
		l.d.exec("UPDATE tasks SET title = 'newest' WHERE id = $1", full("a1"))
		l.says("update a1 project=p2 title=newest", "up-to-date")
	})
}

func TestALateMessageDoesNotEndARowThatASnapshotBrought(t *testing.T) {
	again := func(d *deployment, id string) {
		_, err := d.electric.Exec("DELETE FROM documents WHERE id = $1; INSERT INTO documents (id, title) VALUES ($1, 'again')", full(id))
		d.check(err)
	}
	d := deploy(t)
	alice := d.as("alice")
	alice.get("/v1/shapes/documents?offset=-1") // so that the feed is there
	d.electric.FallBehind()
	again(d, "d1")
	first := alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	d.electric.CatchUp()
	d.read()
	alice.get("/v1/shapes/documents?" + first.onward()).says("up-to-date")

	d.revoke(sees("alice", "d1"))
	d.grant(sees("alice", "d1"))
	d.electric.FallBehind()
	again(d, "d1")
	at := alice.get("/v1/shapes/documents?"+first.onward()).says("insert d1", "snapshot-end", "up-to-date")
	d.electric.CatchUp()
	d.read()
	alice.get("/v1/shapes/documents?"+at.onward()).says("insert d1", "up-to-date") // the present state
}

// What an earlier stream or a subset brought may have been deleted by the time that it
// would be sent again: that snapshot does not have it, and only the log has the delete.
func TestALateMessageEndsARowThatCameBeforeTheSnapshot(t *testing.T) {
	for _, kind := range []string{"live=true&", sse} {
		d := deploy(t)
		alice := d.as("alice")
		first := alice.get("/v1/shapes/documents?offset=-1")
		s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
		d.waitHeld(1)
		d.grant(sees("alice", "d3"))
		s.says("insert d3", "snapshot-end", "up-to-date") // which she may not have got
		d.electric.FallBehind()
		d.exec("DELETE FROM documents WHERE id = $1", full("d3"))
		at := s.adopted()
		if kind == sse {
			s = alice.stream("/v1/shapes/documents?" + sse + at)
			s.says("snapshot-end", "up-to-date")
		} else {
			at = alice.get("/v1/shapes/documents?"+kind+at).says("snapshot-end", "up-to-date").onward()
		}
		d.electric.CatchUp()
		d.read()
		if kind == sse {
			s.says("delete d3", "up-to-date")
		} else {
			alice.get("/v1/shapes/documents?"+kind+at).says("delete d3", "up-to-date")
		}
	}
}

// What a lost stream brought is not with the client: what comes late brings it.
func TestALateMessageBringsARowThatALostStreamBrought(t *testing.T) {
	d := deploy(t, granting("task:"+full("a5")+"#viewer@user:alice"))
	alice := d.as("alice")
	path := "/v1/shapes/mixed?"
	first := alice.get(path + "offset=-1")
	d.electric.FallBehind()
	d.exec("INSERT INTO tasks (id, project, title) VALUES ($1, 'p2', 'new')", full("a5"))
	s := alice.stream(path + sse + first.onward())
	d.waitHeld(1)
	d.grant("project:p2#viewer@user:alice")
	s.says("insert a2", "insert a5", "snapshot-end", "up-to-date") // which she does not get
	d.electric.CatchUp()
	d.read()
	d.exec("UPDATE tasks SET project = 'p9' WHERE id = $1", full("a5"))
	alice.get(path+first.onward()).says("insert a5", "update a5 project=p9 title=new", "insert a2", "snapshot-end", "up-to-date")
}

// Of what is lost, the client gets deletes for what it may have.

func TestOfARowThatCameAfterALossNothingButTheKeyIsSent(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/tasks?offset=-1").holds("a1", "a4")
	d.revoke("project:p1#viewer@user:alice")
	d.exec("INSERT INTO tasks (id, project, title) VALUES ($1, 'p1', 'not hers'), ($2, 'p1', 'nor this')", full("a7"), full("a8"))
	d.exec("UPDATE tasks SET project = 'p1' WHERE id = $1", full("a3"))
	d.exec("UPDATE tasks SET project = 'p2' WHERE id = $1", full("a8"))
	d.exec("DELETE FROM tasks WHERE id = $1", full("a4"))
	a := alice.get("/v1/shapes/tasks?" + first.onward())
	a.says("delete a8", "delete a4", "delete a1", "delete a3", "delete a7", "snapshot-end", "up-to-date")
	for _, hidden := range []string{full("a2"), "title", "project"} {
		if strings.Contains(string(a.body), hidden) {
			t.Errorf("sent %s: %s", hidden, a.body)
		}
	}
}

// Nor of one that had left before the stream's snapshot, though the log brings that later.
func TestARowThatLeftBeforeALostStreamIsNotNamed(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	path := "/v1/shapes/tasks?"
	first := alice.get(path+"offset=-1").holds("a1", "a4")
	d.electric.FallBehind()
	d.exec("DELETE FROM tasks WHERE id = $1", full("a2")) // of p2
	s := alice.stream(path + sse + first.onward())
	d.waitHeld(1)
	d.grant("project:p2#viewer@user:alice")
	s.says("snapshot-end", "up-to-date") // which she does not get
	d.grant("project:p3#viewer@user:alice")
	s.says("snapshot-end", "up-to-date") // nor this, by when she could see p2 before
	d.electric.CatchUp()
	d.read()
	alice.get(path+first.onward()).says("snapshot-end", "up-to-date")
}

func TestNothingIsSentOfAGrantThatCameAndWent(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	for shape, change := range map[string]string{"documents": sees("alice", "d3"), "tasks": "project:p2#viewer@user:alice"} {
		path := "/v1/shapes/" + shape + "?"
		first := alice.get(path + "offset=-1")
		poll := alice.hold(path + "live=true&" + first.onward()) // so that both are noticed
		d.waitHeld(1)
		d.grant(change)
		poll.answer().is(http.StatusOK)
		d.revoke(change)
		// The answer was lost on its way, for all that is known.
		a := alice.get(path + first.onward())
		if list := a.messages(); len(list) > 2 || strings.Contains(string(a.body), full("a2")) {
			t.Errorf("%s: sent %s", shape, a.body)
		}
	}
}

func TestARowThatAnotherFilterStillReachesStays(t *testing.T) {
	d := deploy(t, granting("task:"+full("a1")+"#viewer@user:alice"))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/mixed?offset=-1").holds("a1", "a2", "a4")
	d.revoke("project:p1#viewer@user:alice")
	read := alice.get("/v1/shapes/mixed?"+first.onward()).says("insert a1", "delete a4", "snapshot-end", "up-to-date")
	d.revoke("task:" + full("a1") + "#viewer@user:alice")
	alice.get("/v1/shapes/mixed?"+read.onward()).says("delete a1", "snapshot-end", "up-to-date")
}

func TestAKeyChangeDoesNotNameARowThatWasHidden(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.exec("UPDATE documents SET id = $1 WHERE id = $2", full("d7"), full("d1"))
	a := alice.get("/v1/shapes/documents?"+first.onward()).says("delete d1", "up-to-date")
	if strings.Contains(string(a.body), full("d7")) {
		t.Errorf("sent %s", a.body)
	}
	d.grant(sees("alice", "d7"))
	a = alice.get("/v1/shapes/documents?"+first.onward()).says("delete d1", "insert d7", "snapshot-end", "up-to-date")
	if strings.Contains(string(a.body), "key_change") {
		t.Errorf("sent %s", a.body)
	}
}

// A row that an earlier stream brought may end before the client comes back.
func TestTheDeleteOfARowThatAnEarlierStreamBroughtIsSent(t *testing.T) {
	for _, kind := range []string{"live=true&", sse} {
		d := deploy(t, configured(func(c *proxy.Config) { c.StreamTimeout = 500 * time.Millisecond }))
		alice := d.as("alice")
		first := alice.get("/v1/shapes/documents?offset=-1")
		s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
		d.waitHeld(1)
		d.grant(sees("alice", "d3"))
		s.says("insert d3", "snapshot-end", "up-to-date")
		s.ends()
		d.exec("DELETE FROM documents WHERE id = $1", full("d3"))
		again := "/v1/shapes/documents?" + kind + s.adopted()
		if kind == sse {
			alice.stream(again).says("delete d3", "snapshot-end", "up-to-date")
		} else {
			alice.get(again).says("delete d3", "snapshot-end", "up-to-date")
		}
	}
}

// Unless the client shows, by where it resumes, that it got it.
func TestWhatAStreamsClientSurelyHasIsNotSentAgain(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'a draft' WHERE id = $1", full("d3"))
	d.grant(sees("alice", "d3"))
	s.says("insert d3", "snapshot-end", "up-to-date")
	d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d2"))
	lsn := s.says("update d2 title=new", "up-to-date")[1].Headers.LastSeenLSN
	again := "handle=" + s.header.Get("Electric-Handle") + "&offset=" + lsn + "_0"
	d.exec("UPDATE documents SET title = 'newer' WHERE id = $1", full("d2"))
	s = alice.stream("/v1/shapes/documents?" + sse + again)
	s.says("update d2 title=newer", "up-to-date")
	advanced := s.header.Get("Electric-Handle")
	if advanced == first.handle() {
		t.Error("the handle is the old one")
	}
	// It does not make readable what was written before the grant.
	for _, offset := range []string{first.offset(), "0_0", lsn + "_0"} {
		a := alice.get("/v1/shapes/documents?handle=" + advanced + "&offset=" + offset).is(http.StatusOK)
		if strings.Contains(string(a.body), "draft") {
			t.Errorf("sent %s", a.body)
		}
	}
}

func TestARowWrittenAndGrantedAtOnceEndsInItsNewestState(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		for i := range 10 {
			id := full("d2" + string(rune('0'+i)))
			l.d.grantUnheard("document:" + id + "#viewer@user:alice")
			l.d.exec("INSERT INTO documents (id, title) VALUES ($1, 'new')", id)
			l.d.exec("UPDATE documents SET title = 'newest' WHERE id = $1", id)
		}
		l.d.heard()
		rows := make(map[string]string)
		for len(rows) < 10 || strings.Contains(strings.Join(values(rows), " "), "new ") {
			var list []message
			if l.stream != nil {
				list = l.stream.batch()
			} else {
				l.first = l.poll.answer()
				list = l.first.messages()
				l.poll = l.who.hold(l.path + "live=true&" + l.first.onward())
			}
			for _, m := range list {
				if title, ok := m.Value["title"]; ok {
					rows[m.id()] = textOf(title) + " "
				}
			}
		}
	})
}

func values(m map[string]string) (all []string) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// What a stream sends may be lost on its way: the next answer must not count on it.
func TestWhatALostStreamBroughtIsSentAgain(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	path := "/v1/shapes/documents?"
	first := alice.get(path + "offset=-1")
	s := alice.stream(path + sse + first.onward())
	d.waitHeld(1)
	d.grant(sees("alice", "d3"))
	s.says("insert d3", "snapshot-end", "up-to-date") // which she gets
	adopted := s.adopted()
	d.exec("DELETE FROM documents WHERE id = $1", full("d3"))
	s.says("delete d3", "up-to-date") // which she does not get, nor what another stream sends
	d.grant(sees("alice", "d4"))
	lost := alice.stream(path + sse + adopted)
	lost.says("delete d3", "insert d4", "snapshot-end", "up-to-date")
	// The lost stream's snapshot has seen the delete: so the present says what became of d3.
	alice.get(path+lost.adopted()).says("insert d4", "snapshot-end", "delete d3", "up-to-date")
}
