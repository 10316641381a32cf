package proxy_test

import (
	"net/http"
	"strings"
	"testing"
)

// onceRowsAreAsked has do run when Electric is asked for rows the next time, before it answers.
func (d *deployment) onceRowsAreAsked(do func()) {
	d.upstream.failing(func(a asked) error {
		if a.isSubset() {
			d.upstream.back()
			do()
		}
		return nil
	})
}

// A snapshot at Electric may take a minute. Grants from before it are no grants: what was
// revoked while it was taken is not sent.
func TestWhatIsRevokedWhileElectricTakesASnapshotIsNotSent(t *testing.T) {
	for _, shape := range []string{"documents", "vault"} {
		for _, live := range []string{"", "live=true&", sse} {
			t.Run(shape+" "+live, func(t *testing.T) {
				d := deploy(t)
				alice, path := d.as("alice"), "/v1/shapes/"+shape+"?"
				first := alice.get(path + "offset=-1")
				d.exec("UPDATE documents SET title = 'hers, at first' WHERE id = $1", full("d1"))
				d.grant(sees("alice", "d3"))
				d.onceRowsAreAsked(func() {
					d.revoke(sees("alice", "d3"), sees("alice", "d1"))
					d.execUnread("UPDATE documents SET title = 'not for alice' WHERE id = $1", full("d3"))
				})
				var text string
				if live == sse {
					list := alice.stream(path + sse + first.onward()).batch()
					text = strings.Join(inShort(list), " ")
				} else {
					text = strings.Join(inShort(alice.get(path+live+first.onward()).messages()), " ")
				}
				if strings.Contains(text, "insert d3") || strings.Contains(text, "update d1") {
					t.Errorf("sent %s", text)
				}
			})
		}
	}
}

// slowReads are the ways to ask for rows, for a client that came to first.
var slowReads = map[string]func(r reader, path string, first *answer) *answer{
	"first":    func(r reader, path string, _ *answer) *answer { return r.get(path + "offset=-1") },
	"catch-up": func(r reader, path string, first *answer) *answer { return r.get(path + first.onward()) },
	"live":     func(r reader, path string, first *answer) *answer { return r.get(path + "live=true&" + first.onward()) },
	"subset":   func(r reader, path string, _ *answer) *answer { return r.post(path, `{"where":"true"}`) },
}

// What is taken away while Electric takes a snapshot is left out of the answer. Its handle
// says so: what is given back before the next read comes with it, at whatever replica.
func TestWhatIsLeftOutOfASnapshotComesWhenItIsGivenBack(t *testing.T) {
	const staff = "group:staff#member@user:alice"
	for name, read := range slowReads {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, granting("document:"+full("d3")+"#viewer@group:staff#member"))
			alice, path := d.as("alice"), "/v1/shapes/documents?"
			first := alice.get(path + "offset=-1")
			d.grant(staff)
			d.onceRowsAreAsked(func() {
				d.revoke(staff)
			})
			a := read(alice, path, first).is(http.StatusOK)
			if strings.Contains(string(a.body), full("d3")) {
				t.Errorf("sent what was revoked: %s", a.body)
			}
			d.grant(staff)
			d.replica(nil)
			alice.get(path+a.onward()).says("insert d3", "snapshot-end", "up-to-date")
		})
	}
}

// What is taken away when a subset is asked for, and given back while Electric takes it, is
// not among its rows. Its handle says so.
func TestWhatASubsetWasNotAskedForComesWhenItIsGivenBack(t *testing.T) {
	const staff = "group:staff#member@user:alice"
	d := deploy(t, granting("document:"+full("d3")+"#viewer@group:staff#member", staff))
	alice, path := d.as("alice"), "/v1/shapes/documents?"
	first := alice.get(path + "offset=now&log=changes_only")
	d.revoke(staff)
	d.onceRowsAreAsked(func() {
		d.grant(staff)
	})
	a := alice.post(path+first.onward(), `{"where":"true"}`).holds("d1", "d2")
	d.replica(nil)
	alice.get(path+a.onward()).says("insert d3", "snapshot-end", "up-to-date")
}

// The rows of a snapshot may be from a moment when an id was taken away. Where it is
// granted when they are there, they are asked for once more.
func TestASnapshotIsTakenAgainWhereAnIDWasGivenBackMeanwhile(t *testing.T) {
	for name, read := range slowReads {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			alice, path := d.as("alice"), "/v1/shapes/documents?"
			first := alice.get(path + "offset=-1")
			d.grant(sees("alice", "d3"))
			d.onceRowsAreAsked(func() {
				d.revoke(sees("alice", "d3"))
				d.grant(sees("alice", "d3"))
			})
			a := read(alice, path, first).is(http.StatusOK)
			if !strings.Contains(string(a.body), full("d3")) {
				t.Errorf("does not have what is granted: %s", a.body)
			}
			d.replica(nil)
			alice.get(path + a.onward()).says("up-to-date")
		})
	}
}

// A gate that is lost takes all ids away. Where it is given back while Electric takes a
// snapshot, the rows are asked for once more. A log that was read before has to begin anew,
// and a subset for such a client is no 409 all the same.
func TestASnapshotIsTakenAgainWhereAGateWasGivenBackMeanwhile(t *testing.T) {
	const member, path = "workspace:main#member@user:alice", "/v1/shapes/office?"
	for name, c := range map[string]struct {
		read func(r reader, first *answer) *answer
		next int
	}{
		"first read":  {func(r reader, _ *answer) *answer { return r.get(path + "offset=-1") }, http.StatusOK},
		"subset":      {func(r reader, _ *answer) *answer { return r.post(path, `{"where":"true"}`) }, http.StatusOK},
		"next subset": {func(r reader, first *answer) *answer { return r.post(path+first.onward(), `{"where":"true"}`) }, http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			alice := d.as("alice")
			first := alice.get(path + "offset=-1")
			d.onceRowsAreAsked(func() {
				d.revoke(member)
				d.grant(member)
			})
			a := c.read(alice, first).is(http.StatusOK)
			if !strings.Contains(string(a.body), full("d1")) {
				t.Errorf("does not have what is granted: %s", a.body)
			}
			alice.get(path + a.onward()).is(c.next)
		})
	}
}

// A person whose grants are taken away and given back all the time is asked to wait.
func TestASnapshotIsNotTakenAgainForEver(t *testing.T) {
	d := deploy(t)
	alice, path := d.as("alice"), "/v1/shapes/documents?"
	times := 0
	d.upstream.failing(func(a asked) error {
		if a.isSubset() {
			times++
			d.revoke(sees("alice", "d1"))
			d.grant(sees("alice", "d1"))
		}
		return nil
	})
	alice.get(path+"offset=-1").refused(http.StatusServiceUnavailable, "")
	if times != 3 {
		t.Errorf("Electric was asked %d times", times)
	}
}

// A stream that begins with such a resync ends behind it, and the next one brings the rest.
func TestAStreamWhoseResyncIsNarrowedIsMadeUpFor(t *testing.T) {
	const staff = "group:staff#member@user:alice"
	d := deploy(t, granting("document:"+full("d3")+"#viewer@group:staff#member"))
	alice, path := d.as("alice"), "/v1/shapes/documents?"
	first := alice.get(path + "offset=-1")
	d.grant(staff, sees("alice", "d4"))
	d.onceRowsAreAsked(func() {
		d.revoke(staff)
	})
	s := alice.stream(path + sse + first.onward())
	s.says("insert d4", "snapshot-end", "up-to-date")
	s.ends()
	d.grant(staff)
	d.replica(nil)
	alice.stream(path+sse+s.onward()).says("insert d3", "insert d4", "snapshot-end", "up-to-date")
}

// It ends without up-to-date where more is taken away while it is written.
func TestAStreamWhoseResyncIsNarrowedTwiceIsMadeUpFor(t *testing.T) {
	const staff, team = "group:staff#member@user:alice", "group:team#member@user:alice"
	l := twoLaggingReplicas(t)
	l.revoke(sees("alice", "d1"))
	l.grant("document:"+full("d1")+"#viewer@group:team#member", team, "document:"+full("d3")+"#viewer@group:staff#member")
	f := l.follow("alice", "documents")
	l.check(f.read(l.context(), l.urls[1], neverCut))
	l.fronts[1].FallBehind()
	l.execUnread("DELETE FROM documents WHERE id = $1", full("d1"))
	l.execUnread("INSERT INTO documents (id, title) VALUES ($1, 'made anew')", full("d1"))
	l.grant(sees("alice", "d4"))
	l.heardBoth()
	l.check(f.read(l.context(), l.urls[1], neverCut)) // its snapshot has seen more than its log
	l.catchUp()
	l.grant(staff)
	left := []string{staff, team}
	l.upstream.failing(func(a asked) error {
		if a.isSubset() && len(left) > 0 {
			lost := left[0]
			left = left[1:]
			l.revoke(lost)
		}
		return nil
	})
	l.check(f.stream(l.context(), l.urls[1], neverCut, func() bool { return true }))
	if len(left) > 0 {
		t.Fatalf("Electric was not asked for late rows: %s", f.sent)
	}
	l.grant(staff, team)
	l.heardBoth()
	l.check(f.read(l.context(), l.urls[0], neverCut))
	l.ends(f)
}
