package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/cursor"
)

const sse = "live=true&live_sse=true&"

func TestEachVisibleBatchOfAStreamEndsWithUpToDate(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	d.waitHeld(1)
	_, err := d.electric.Tx(func(tx *electrictest.Tx) error {
		for _, id := range []string{"d3", "d1", "d4", "d2"} {
			if err := tx.Update("documents", full(id), map[string]any{"title": "live"}); err != nil {
				return err
			}
		}
		return nil
	})
	d.check(err)
	batch := s.says("update d1 title=live", "update d2 title=live", "up-to-date")
	if got, want := batch[2].Headers.LastSeenLSN, batch[0].Headers.LSN; got != want || got == "" {
		t.Errorf("up-to-date says LSN %q after changes at %q", got, want)
	}
	d.exec("DELETE FROM documents WHERE id = $1", full("d1"))
	s.says("delete d1", "up-to-date")
}

func TestAStreamBeginsWithWhatIsThere(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.exec("UPDATE documents SET title = 'earlier'")
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	s.says("update d1 title=earlier", "update d2 title=earlier", "up-to-date")
}

func TestTheHeadersOfAStream(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.exec("UPDATE documents SET title = 'earlier'")
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	// The client takes handle and offset from the headers at once: so they promise
	// nothing that was not delivered.
	for name, want := range map[string]string{
		"Content-Type":      "text/event-stream",
		"Cache-Control":     "private, no-store",
		"X-Accel-Buffering": "no",
		"Electric-Handle":   first.handle(),
		"Electric-Offset":   first.offset(),
	} {
		if got := s.header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if s.header.Get("Electric-Cursor") == "" || s.header.Get("Electric-Schema") != "" || s.header.Get("Etag") != "" {
		t.Errorf("headers %v", s.header)
	}
}

// The client goes on from <lsn>_0, where lsn is that of the last up-to-date: in
// the middle of the transaction, if its first change was not the reader's.
func TestAReaderThatReconnectsLosesNothingAndGetsNothingNew(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'before'")
	batch := s.says("update d1 title=before", "update d2 title=before", "up-to-date")
	at := batch[len(batch)-1].Headers.LastSeenLSN + "_0"

	// While the reader is away:
	d.exec("UPDATE documents SET title = 'away' WHERE id IN ($1, $2)", full("d2"), full("d3"))
	again := alice.stream("/v1/shapes/documents?" + sse + "handle=" + s.header.Get("Electric-Handle") + "&offset=" + at)
	// What comes again is harmless, and is the reader's own.
	got := inShort(again.batch())
	for len(got) > 0 && strings.Contains(got[0], "title=before") {
		got = got[1:]
	}
	equal(t, got, []string{"update d2 title=away", "up-to-date"})
}

func TestAStreamThatResumesBeforeItsBaseBeginsAtTheBase(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	alice.get("/v1/shapes/documents?offset=-1") // so that the feed is there
	d.exec("UPDATE documents SET title = 'a draft'")
	d.exec("UPDATE documents SET title = 'cleaned'")
	first := alice.get("/v1/shapes/documents?offset=-1")
	lsn, _, _ := strings.Cut(first.offset(), "_")
	s := alice.stream("/v1/shapes/documents?" + sse + "handle=" + first.handle() + "&offset=" + lsn + "_0")
	if got := s.header.Get("Electric-Offset"); got != lsn+"_0" {
		t.Errorf("the client gets the offset %s, and came with %s_0", got, lsn)
	}
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d1"))
	s.says("update d1 title=new", "up-to-date")
}

func TestASilentStreamGivesSignsOfLife(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.KeepAlive = 10 * time.Millisecond }))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	for range 3 {
		if got := s.next(); got != ": keep-alive" {
			t.Fatalf("%q, want a keep-alive", got)
		}
	}
	d.exec("UPDATE documents SET title = 'still here' WHERE id = $1", full("d1"))
	s.says("update d1 title=still here", "up-to-date")
}

func TestAStreamEndsInTime(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.StreamTimeout = 50 * time.Millisecond }))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	if rest := alice.stream("/v1/shapes/documents?" + sse + first.onward()).ends(); len(rest) > 0 {
		t.Errorf("it ended with %q", rest)
	}
}

// Hidden changes are not sent, but the position at the end of a stream is: without it, its
// client would read them again and again.
func TestAStreamEndsWithItsPosition(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'hidden' WHERE id = $1", full("d3"))
	d.heldAgain(2)
	d.handler.Drain()
	end := s.batch()
	equal(t, inShort(end), []string{"up-to-date"})
	s.ends()

	d.replica(nil)
	d.upstream.forget()
	alice.get("/v1/shapes/documents?handle=" + first.handle() + "&offset=" + end[0].Headers.LastSeenLSN + "_0").says("up-to-date")
	if got := d.upstream.byReaders()[0].query.Get("offset"); got == first.offset() {
		t.Error("what is hidden is read again")
	}
}

func TestAStreamHasARefusalsStatusWhereItCanStillHaveOne(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.exec("TRUNCATE documents")
	alice.get("/v1/shapes/documents?" + sse + first.onward()).mustRefetch(first)
	d.upstream.away()
	first = alice.get("/v1/shapes/documents?offset=-1")
	if first.status != http.StatusServiceUnavailable {
		t.Errorf("status %d", first.status)
	}
}

func TestATruncateEndsAStream(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	d.waitHeld(1)
	d.exec("TRUNCATE documents")
	s.ends()
	alice.get("/v1/shapes/documents?" + sse + first.onward()).mustRefetch(first)
}

func TestALongBacklogIsStreamedWhole(t *testing.T) {
	d := deploy(t, standIn(func(o *electrictest.Options) { o.ChunkBytes = 400 }))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	for range 10 {
		d.exec("UPDATE documents SET title = title || '+'")
	}
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	got, last := 0, ""
	for got < 20 {
		for _, m := range s.batch() {
			switch {
			case m.Headers.Operation != "":
				got++
				last = m.Headers.LSN
			case m.Headers.LastSeenLSN < last:
				t.Errorf("up-to-date at %s after a change at %s", m.Headers.LastSeenLSN, last)
			}
		}
	}
	if got != 20 {
		t.Errorf("%d changes, want 20", got)
	}
}

// SpiceDB forgets revisions after a day: a client that only streams is given newer ones in
// its handle, too.
func TestTheHandleOfAStreamNamesRevisionsThatSpiceDBHas(t *testing.T) {
	d := deploy(t)
	key, scope := cursor.NewKey(handleSecret), cursor.Scope{Shape: "documents", Subject: "user:alice"}
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	old, err := key.Open(first.handle(), scope)
	d.check(err)
	then := old.At.Time.Add(-2 * time.Hour)
	old.At.Time = then
	s := alice.stream("/v1/shapes/documents?" + sse + "handle=" + key.Seal(&old, scope) + "&offset=" + first.offset())
	now, err := key.Open(s.header.Get("Electric-Handle"), scope)
	d.check(err)
	if !now.At.Time.After(then) {
		t.Errorf("the handle is of %v still", now.At)
	}
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'live' WHERE id = $1", full("d1"))
	s.says("update d1 title=live", "up-to-date")
}
