package proxy_test

import (
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/feed"
)

// woken is how many waits the feeds have broken off for a message.
func (d *deployment) woken() (n int) {
	for _, s := range d.handler.Feeds() {
		n += int(s.Woken)
	}
	return n
}

func TestManyWaitingReadersAreOneRequestAtElectric(t *testing.T) {
	d := deploy(t)
	var polls []*held
	for range 20 {
		for _, person := range []string{"alice", "bob"} {
			r := d.as(person)
			polls = append(polls, r.hold("/v1/shapes/documents?live=true&"+r.get("/v1/shapes/documents?offset=-1").onward()))
		}
	}
	d.waitHeld(len(polls))
	d.upstream.await(d.context(), t, 1, asked.live)
	d.upstream.forget()
	d.exec("UPDATE documents SET title = 'for alice alone' WHERE id = $1", full("d1"))
	for i, poll := range polls {
		if i%2 == 0 {
			poll.answer().says("update d1 title=for alice alone", "up-to-date")
		}
	}
	d.waitHeld(20) // bob's
	if got := d.woken(); got != 20 {
		t.Errorf("%d were woken", got)
	}
	d.check(d.electric.WaitHeld(d.context(), 1)) // it asks for what comes next
	if asked := d.upstream.requests(); len(asked) != 1 {
		t.Errorf("Electric was asked %d times for one change", len(asked))
	}
	d.handler.Drain()
	for i, poll := range polls {
		if i%2 == 1 {
			poll.answer().says("up-to-date")
		}
	}
}

// A reader that may see nothing of what is written is not woken, and its offset moves on all the same.
func TestAWaitThatBringsNothingMovesOn(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.LongPollTimeout = 200 * time.Millisecond }))
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	poll := alice.hold("/v1/shapes/documents?live=true&" + at.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'hidden' WHERE id = $1", full("d3"))
	a := poll.answer().says("up-to-date")
	if a.offset() == at.offset() || d.woken() != 0 {
		t.Errorf("it ends at %s, with %d woken", a.offset(), d.woken())
	}
}

func TestEqualAnswersAreTheSameOnes(t *testing.T) {
	d := deploy(t, granting(sees("bob", "d1"), sees("bob", "d2")))
	path := "/v1/shapes/documents?"
	at := d.as("alice").get(path + "offset=-1")
	d.exec("UPDATE documents SET title = repeat('long ', 200) WHERE id = $1", full("d1"))
	for range 3 {
		d.as("alice").get(path + at.onward()).is(http.StatusOK)
	}
	for _, s := range d.handler.Feeds() {
		if s.AnswerBytes == 0 || s.AnswerBytes > 4000 {
			t.Errorf("%d bytes of answers are kept", s.AnswerBytes)
		}
	}
}

func TestAnswersAreZippedForClientsThatAcceptGzip(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	path := "/v1/shapes/documents?"
	at := alice.get(path + "offset=-1")
	d.exec("UPDATE documents SET title = $1 WHERE id = $2", strings.Repeat("long ", 1000), full("d1"))
	want := string(alice.get(path + at.onward()).body)
	for accepts, zipped := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "br": false, "gzip;q=0": false, "identity": false} {
		resp, err := alice.with("Accept-Encoding", accepts).send(d.context(), http.MethodGet, path+at.onward(), "")
		d.check(err)
		body := io.Reader(resp.Body)
		if got := resp.Header.Get("Content-Encoding") == "gzip"; got != zipped {
			t.Errorf("%s: zipped is %v", accepts, got)
		}
		if zipped {
			body, err = gzip.NewReader(resp.Body)
			d.check(err)
		}
		text, err := io.ReadAll(body)
		d.check(err)
		closing(resp.Body)
		if string(text) != want {
			t.Errorf("%s: another text", accepts)
		}
	}
}

func TestTooManyWaitingRequestsAreRefused(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.Waiting, c.WaitingPerSubject = 3, 2 }))
	path := "/v1/shapes/documents?live=true&"
	hold := func(person string) *held {
		r := d.as(person)
		return r.hold(path + r.get("/v1/shapes/documents?offset=-1").onward())
	}
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	hold("alice")
	hold("alice")
	d.waitHeld(2)
	tooMany := alice.get(path + at.onward())
	tooMany.refused(http.StatusTooManyRequests, "")
	alice.get("/v1/shapes/documents?" + at.onward()).says("up-to-date") // without waiting
	bobs := hold("bob")
	d.waitHeld(3)
	away := d.as("carol").get(path + d.as("carol").get("/v1/shapes/documents?offset=-1").onward())
	away.isAway()
	for _, a := range []*answer{tooMany, away} {
		if a.header.Get("Retry-After") == "" {
			t.Error("an answer without Retry-After")
		}
	}
	_ = bobs
}

func TestTooManyFeedsAreNotStarted(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.Feeds = feed.Config{Feeds: 2, PerSubject: 1} }))
	alice, bob := d.as("alice"), d.as("bob")
	hold := func(r reader, path string) { r.hold(path + "&live=true&" + r.get(path+"&offset=-1").onward()) }
	hold(alice, "/v1/shapes/documents?")
	d.waitHeld(1)
	refused := alice.get("/v1/shapes/documents?offset=now&replica=full")
	refused.refused(http.StatusTooManyRequests, "")
	if refused.header.Get("Retry-After") == "" {
		t.Error("a 429 without Retry-After")
	}
	hold(bob, "/v1/shapes/documents?replica=full")
	d.waitHeld(2)
	d.as("carol").get("/v1/shapes/current?offset=now&replica=full").isAway()
}

// A reader that does not take its answer does not delay others.
func TestASlowReaderIsNotWaitedFor(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	path := "/v1/shapes/documents?live=true&"
	at := alice.get("/v1/shapes/documents?offset=-1")
	resp := make(chan *http.Response, 1)
	go func() {
		r, err := alice.send(d.context(), http.MethodGet, path+at.onward(), "")
		if err != nil {
			t.Error(err)
		}
		resp <- r // whose body is not read
	}()
	for i := range 20 {
		r := d.as("alice")
		poll := r.hold(path + r.get("/v1/shapes/documents?offset=-1").onward())
		if i == 0 {
			d.waitHeld(2)
		} else {
			d.waitHeld(1)
		}
		d.exec("UPDATE documents SET title = $1 WHERE id = $2", fmt.Sprint(i, strings.Repeat("x", 1<<20)), full("d1"))
		if a := poll.answer().is(http.StatusOK); len(a.body) < 1<<20 {
			t.Errorf("an answer of %d bytes", len(a.body))
		}
	}
	closing((<-resp).Body)
}

func TestManyReadersWaitOverHTTP2(t *testing.T) {
	d := deploy(t)
	server := httptest.NewUnstartedServer(d.handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	d.end(func() {
		d.handler.Drain()
		server.Close()
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}, ForceAttemptHTTP2: true}
	d.end(transport.CloseIdleConnections)
	d.client, d.url = &http.Client{Transport: d.documented(transport)}, server.URL
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	var polls []*held
	for range 50 {
		polls = append(polls, alice.hold("/v1/shapes/documents?live=true&"+at.onward()))
	}
	d.waitHeld(50)
	d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d1"))
	for _, poll := range polls {
		poll.answer().says("update d1 title=new", "up-to-date")
	}
	resp, err := alice.send(d.context(), http.MethodGet, "/v1/shapes/documents?"+at.onward(), "")
	d.check(err)
	closing(resp.Body)
	if resp.ProtoMajor != 2 {
		t.Errorf("it was %s", resp.Proto)
	}
}

// Answers from the window are as those from Electric, message for message.
func TestTheWindowSaysWhatElectricSays(t *testing.T) {
	for _, shape := range []string{"documents", "current", "board"} {
		d := deploy(t, standIn(func(o *electrictest.Options) { o.LongPollTimeout = time.Second }))
		alice := d.as("alice")
		path := "/v1/shapes/" + shape + "?"
		_, at := alice.whole(path)
		for _, sql := range []string{
			"UPDATE documents SET title = 'one' WHERE id = $1", "DELETE FROM documents WHERE id = $1",
			"INSERT INTO documents (id, title) VALUES ($1, 'back')", "UPDATE documents SET title = NULL WHERE id = $1",
		} {
			if _, err := d.electric.Exec(sql, full("d1")); err != nil && !strings.Contains(sql, "NULL") {
				t.Fatal(err)
			}
		}
		d.read()
		ours := alice.get(path + at.onward())
		d.replica(func(c *proxy.Config) { c.Feeds.Memory = 1 })
		theirs := alice.get(path + at.onward())
		if got, want := fmt.Sprint(ours.messages()), fmt.Sprint(theirs.messages()); got != want {
			t.Errorf("%s: the window says\n%s\nElectric says\n%s", shape, got, want)
		}
		if ours.offset() != theirs.offset() || ours.header.Get("Electric-Schema") != theirs.header.Get("Electric-Schema") {
			t.Errorf("%s: other headers: %v, %v", shape, ours.header, theirs.header)
		}
	}
}

// Feeds end while requests come, and begin again.
func TestFeedsThatEndAreBegunAgain(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.Feeds.Idle = time.Millisecond }))
	var all sync.WaitGroup
	for i := range 4 {
		r := d.as([]string{"alice", "bob"}[i%2])
		all.Go(func() {
			at := r.get("/v1/shapes/documents?offset=-1")
			for range 50 {
				at = r.get("/v1/shapes/documents?" + at.onward()).is(http.StatusOK)
			}
		})
	}
	all.Wait()
}

// A document that is shared with a group is read once for all its members who wait. Here the
// first of them asks alone, and the others meanwhile wait for one answer.
func TestManyReadersOfOneNewRowAreTwoRequestsAtElectric(t *testing.T) {
	const readers = 20
	members := make([]string, readers)
	for i := range members {
		members[i] = fmt.Sprintf("group:staff#member@user:reader%d", i)
	}
	d := deploy(t, granting(members...))
	var polls []*held
	for i := range readers {
		r := d.as(fmt.Sprintf("reader%d", i))
		polls = append(polls, r.hold("/v1/shapes/documents?live=true&"+r.get("/v1/shapes/documents?offset=-1").onward()))
	}
	d.waitHeld(readers)
	first := true
	d.upstream.failing(func(a asked) error {
		if a.isSubset() && first { // the second one is asked when this is over
			first = false
			d.await(func() bool { return d.metric("shapegate_shared_snapshot_requests") == readers-1 })
		}
		return nil
	})
	d.upstream.forget()
	d.grant("document:" + full("d3") + "#viewer@group:staff#member")
	for _, poll := range polls {
		poll.answer().says("insert d3", "snapshot-end", "up-to-date")
	}
	if n := len(slices.DeleteFunc(d.upstream.requests(), logReads)); n != 2 {
		t.Errorf("Electric was asked for rows %d times", n)
	}
}

// A snapshot that is shared has the rows that its query asks for. Each request is sent what it
// may see, which may be less by then.
func TestWhatIsRevokedWhileASnapshotIsSharedIsNotSent(t *testing.T) {
	d := deploy(t, granting(sees("bob", "d1"), sees("bob", "d2")))
	d.revoke(sees("bob", "d3")) // so that bob's request is the same as alice's
	path := "/v1/shapes/documents?offset=-1"
	asks := 0
	d.upstream.failing(func(a asked) error {
		if !a.isSubset() {
			return nil
		}
		switch asks++; asks {
		case 1:
			d.await(func() bool { return d.metric("shapegate_shared_snapshot_requests") == 2 })
		case 2:
			d.revoke(sees("bob", "d2"))
		}
		return nil
	})
	first := d.as("alice").hold(path)
	d.upstream.await(d.context(), t, 1, subsets)
	second, third := d.as("alice").hold(path), d.as("bob").hold(path)
	first.answer().holds("d1", "d2")
	second.answer().holds("d1", "d2")
	third.answer().holds("d1")
	if asks != 2 {
		t.Errorf("Electric was asked for rows %d times", asks)
	}
}
