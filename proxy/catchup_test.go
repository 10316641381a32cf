package proxy_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy"
)

func TestACatchUpHoldsThePermittedChangesAndNoOthers(t *testing.T) {
	d := deploy(t)
	alice, bob := d.as("alice"), d.as("bob")
	first, his := alice.get("/v1/shapes/documents?offset=-1"), bob.get("/v1/shapes/documents?offset=-1")

	d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d1"))
	d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d3"))
	d.exec("INSERT INTO documents (id, title) VALUES ($1, 'fifth')", full("d5"))
	d.exec("DELETE FROM documents WHERE id = $1", full("d2"))

	alice.get("/v1/shapes/documents?"+first.onward()).says("update d1 title=new", "delete d2", "up-to-date")
	bob.get("/v1/shapes/documents?"+his.onward()).says("update d3 title=new", "up-to-date")
}

func TestTheOffsetMovesPastWhatIsHidden(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.exec("UPDATE documents SET title = 'hidden' WHERE id = $1", full("d3"))
	second := alice.get("/v1/shapes/documents?" + first.onward()).says("up-to-date")
	if second.offset() == first.offset() {
		t.Error("the offset stays, so that what is hidden is read again each time")
	}
	d.exec("UPDATE documents SET title = 'seen' WHERE id = $1", full("d1"))
	third := alice.get("/v1/shapes/documents?"+second.onward()).says("update d1 title=seen", "up-to-date")
	if third.handle() != second.handle() { // the log has passed the first read's snapshot
		t.Error("the handle changed without need")
	}
}

func TestALongLogIsReadInItsParts(t *testing.T) {
	d := deploy(t, standIn(func(o *electrictest.Options) { o.ChunkBytes = 500 }), withoutWindow)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	for range 10 {
		d.exec("UPDATE documents SET title = title || '+'")
	}
	seen, parts := 0, 1
	for ; parts < 100; parts++ {
		at = alice.get("/v1/shapes/documents?" + at.onward())
		for _, m := range at.messages() {
			if m.Headers.Operation != "" {
				seen++
			}
		}
		if at.upToDate() {
			break
		}
	}
	if seen != 20 || parts < 3 {
		t.Errorf("%d changes in %d parts, want 20 in several", seen, parts)
	}
}

func TestAVisibleChangeEndsALongPoll(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	poll := alice.hold("/v1/shapes/documents?live=true&" + first.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'live' WHERE id = $1", full("d1"))
	a := poll.answer().says("update d1 title=live", "up-to-date")
	if !a.upToDate() || a.cursor() == "" || a.header.Get("Electric-Schema") != "" {
		t.Errorf("headers %v", a.header)
	}
	alice.get("/v1/shapes/documents?" + a.onward()).says("up-to-date")
}

func TestAHiddenChangeDoesNotEndALongPoll(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	poll := alice.hold("/v1/shapes/documents?live=true&" + first.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'hidden' WHERE id = $1", full("d3"))
	d.heldAgain(2)
	poll.waits()
	d.exec("UPDATE documents SET title = 'seen' WHERE id = $1", full("d1"))
	poll.answer().says("update d1 title=seen", "up-to-date")
}

func TestALongPollThatEndsWithNothingIsPastWhatWasHidden(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	poll := alice.hold("/v1/shapes/documents?live=true&" + first.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'hidden' WHERE id = $1", full("d3"))
	d.heldAgain(2)
	d.handler.Drain() // which ends the wait as its time would
	a := poll.answer().says("up-to-date")
	d.upstream.forget()
	d.replica(nil)
	alice.get("/v1/shapes/documents?" + a.onward()).says("up-to-date")
	for _, asked := range d.upstream.byReaders() {
		if got := asked.query.Get("offset"); logReads(asked) && got == first.offset() {
			t.Errorf("what is hidden is read again, from %s", got)
		}
	}
}

// The wait is over by Electric's clock, or by the proxy's own where Electric's
// does not come.
func TestALongPollEndsInTime(t *testing.T) {
	for name, option := range map[string]option{
		"by Electric's clock":    standIn(func(o *electrictest.Options) { o.LongPollTimeout = 20 * time.Millisecond }),
		"by the proxy's own":     configured(func(c *proxy.Config) { c.LongPollTimeout = 20 * time.Millisecond }),
		"with both at the start": configured(func(c *proxy.Config) { c.LongPollTimeout = time.Nanosecond }),
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, option)
			alice := d.as("alice")
			first := alice.get("/v1/shapes/documents?offset=-1")
			a := alice.get("/v1/shapes/documents?live=true&" + first.onward()).says("up-to-date")
			if !a.upToDate() || a.offset() != first.offset() || a.handle() != first.handle() {
				t.Errorf("headers %v after %v", a.header, first.header)
			}
		})
	}
}

// Electric answers a long log in chunks, and only the last one is up to date.
func TestALongPollThatEndsBetweenTwoChunksIsNotUpToDate(t *testing.T) {
	d := deploy(t, standIn(func(o *electrictest.Options) { o.ChunkBytes = 300 }))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	poll := alice.hold("/v1/shapes/documents?live=true&" + first.onward())
	d.waitHeld(1)
	isAsked := make(chan struct{})
	var once sync.Once
	d.upstream.failing(func(a asked) error {
		if !logReads(a) || a.live() {
			return nil
		}
		once.Do(func() { close(isAsked) })
		<-t.Context().Done()
		return t.Context().Err()
	})
	d.execUnread("UPDATE documents SET title = $1 WHERE id IN ($2, $3)", strings.Repeat("hidden", 50), full("d3"), full("d4"))
	<-isAsked // for the second chunk
	d.handler.Drain()
	a := poll.answer().is(http.StatusOK)
	if string(a.body) != "[]" || a.upToDate() || a.offset() == first.offset() {
		t.Errorf("%s, headers %v after %v", a.body, a.header, first.header)
	}
}

// nudging wakes readers whose grants have not changed.
type nudging struct {
	proxy.Authorizer
	nudge chan struct{} // closed once
	anew  atomic.Int64  // how often readers were about to decide since then
}

type nudged struct {
	authz.Subscription
	by *nudging
}

func (n *nudging) Subscribe(q authz.Question) (authz.Subscription, error) {
	s, err := n.Authorizer.Subscribe(q)
	return nudged{s, n}, err
}

func (n nudged) Changed() <-chan struct{} {
	select {
	case <-n.by.nudge:
		n.by.anew.Add(1)
		return n.Subscription.Changed()
	default:
		return n.by.nudge
	}
}

// Readers that decide anew between two chunks, as all do when the watch is lost, ask Electric
// for the next one only if their grants have changed: the feed has asked for it already.
func TestReadersThatDecideAnewBetweenTwoChunksDoNotAskElectric(t *testing.T) {
	d := deploy(t, standIn(func(o *electrictest.Options) { o.ChunkBytes = 300 }))
	by := &nudging{nudge: make(chan struct{})}
	d.replica(func(c *proxy.Config) { by.Authorizer, c.Authorizer = c.Authorizer, by })
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	poll := alice.hold("/v1/shapes/documents?live=true&" + first.onward())
	d.waitHeld(1)
	d.upstream.await(d.context(), t, 1, asked.live)
	var n atomic.Int64
	next := make(chan struct{})
	d.upstream.failing(func(a asked) error {
		if !logReads(a) || a.live() {
			return nil
		}
		n.Add(1)
		<-next
		return nil
	})
	d.execUnread("UPDATE documents SET title = $1 WHERE id IN ($2, $3)", strings.Repeat("hidden", 50), full("d3"), full("d4"))
	d.await(func() bool { return n.Load() == 1 }) // the feed's
	close(by.nudge)
	d.await(func() bool { // the reader waits again, or asks
		return n.Load() > 1 || by.anew.Load() > 0 && d.handler.Feeds()[0].Waiting > 0
	})
	if n := n.Load(); n != 1 {
		t.Errorf("Electric was asked %d times for the second chunk", n)
	}
	close(next)
	d.exec("UPDATE documents SET title = 'live' WHERE id = $1", full("d1"))
	poll.answer().says("update d1 title=live", "up-to-date")
}

func TestEveryAnswerOfALongPollHasAnotherCursor(t *testing.T) {
	d := deploy(t)
	d.handler.Drain()
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	seen := map[string]bool{"": true}
	for range 3 {
		next := alice.get("/v1/shapes/documents?live=true&cursor=" + at.cursor() + "&" + at.onward()).is(http.StatusOK)
		if seen[next.cursor()] {
			t.Fatalf("the cursor %q again", next.cursor())
		}
		seen[next.cursor()] = true
		at = next
	}
}

func TestAClientsCursorIsNotSentToElectric(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	poll := alice.hold("/v1/shapes/documents?live=true&cursor=12345&" + first.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'live' WHERE id = $1", full("d1"))
	a := poll.answer().says("update d1 title=live", "up-to-date")
	d.upstream.await(d.context(), t, 2, asked.live)
	var cursors []string
	for _, a := range d.upstream.requests() {
		if a.live() {
			cursors = append(cursors, a.query.Get("cursor"))
		}
	}
	if cursors[0] != "" || cursors[1] == "" || cursors[1] == "12345" {
		t.Errorf("Electric got the cursors %q", cursors)
	}
	if a.cursor() == "12345" || a.cursor() == "" {
		t.Errorf("the answer's cursor is %q", a.cursor())
	}
}
