package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/proxy"
)

// These tests run for both kinds of held requests. A long-poll is answered with a
// status. A stream, whose status is long out, ends, and its client's next request gets
// the status.

// heldLog is a log that is read live.
type heldLog struct {
	d      *deployment
	who    reader
	path   string
	first  *answer
	poll   *held
	stream *stream
}

// eachKindOfWaiting runs a test for a long-poll and for an event stream of alice's
// on the shape, each of which waits at Electric when the test begins.
func eachKindOfWaiting(t *testing.T, shape string, who func(*deployment) reader, test func(*heldLog), options ...option) {
	t.Helper()
	t.Run("long-poll", func(t *testing.T) {
		l := openLog(t, shape, who, options...)
		l.poll = l.who.hold(l.path + "live=true&" + l.first.onward())
		l.d.waitHeld(1)
		test(l)
	})
	t.Run("event stream", func(t *testing.T) {
		l := openLog(t, shape, who, options...)
		l.stream = l.who.stream(l.path + "live=true&live_sse=true&" + l.first.onward())
		l.d.waitHeld(1)
		test(l)
	})
}

func openLog(t *testing.T, shape string, who func(*deployment) reader, options ...option) *heldLog {
	t.Helper()
	l := &heldLog{d: deploy(t, options...), path: "/v1/shapes/" + shape + "?"}
	l.who = who(l.d)
	l.first = l.who.get(l.path + "offset=-1")
	return l
}

func alice(d *deployment) reader { return d.as("alice") }

// endsWith makes sure that nothing more is delivered, and that the client gets
// the status.
func (l *heldLog) endsWith(status int) {
	l.d.t.Helper()
	if l.poll != nil {
		a := l.poll.answer().is(status)
		if strings.Contains(string(a.body), `"operation"`) {
			l.d.t.Errorf("a row went out: %s", a.body)
		}
		return
	}
	for _, event := range l.stream.ends() {
		if strings.Contains(event, `"operation"`) {
			l.d.t.Errorf("a row went out: %s", event)
		}
	}
	l.who.get(l.path + "live=true&live_sse=true&" + l.first.onward()).is(status)
}

// says makes sure of what the client is sent next, in short. A long-poll's client
// then asks again.
func (l *heldLog) says(want ...string) {
	l.d.t.Helper()
	if l.stream != nil {
		l.stream.says(want...)
		return
	}
	l.first = l.poll.answer().says(want...)
	l.poll = l.who.hold(l.path + "live=true&" + l.first.onward())
}

func TestARevocationIsSentAtOnceAndLaterChangesAreNot(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.revoke(sees("alice", "d1"))
		l.says("delete d1", "up-to-date")
		l.d.exec("UPDATE documents SET title = 'not for alice' WHERE id = $1", full("d1"))
		l.d.exec("UPDATE documents SET title = 'for alice' WHERE id = $1", full("d2"))
		l.says("update d2 title=for alice", "up-to-date")
	})
}

func TestAGrantIsSentAtOnceAndSoAreLaterChanges(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.grant(sees("alice", "d3"))
		l.says("insert d3", "snapshot-end", "up-to-date")
		l.d.exec("UPDATE documents SET title = 'for alice' WHERE id = $1", full("d3"))
		l.says("update d3 title=for alice", "up-to-date")
	})
}

func TestTheGrantsOfOthersDoNotWakeAReader(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.upstream.forget()
		l.d.grant(sees("bob", "d1"))
		l.d.revoke(sees("bob", "d3"))
		if asked := l.d.upstream.byReaders(); len(asked) > 0 {
			t.Errorf("Electric was asked %d times", len(asked))
		}
		l.d.exec("UPDATE documents SET title = 'for alice' WHERE id = $1", full("d2"))
		l.says("update d2 title=for alice", "up-to-date")
	})
}

func TestManyChangesOneAfterTheOther(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		for range 3 {
			l.d.revoke(sees("alice", "d1"))
			l.says("delete d1", "up-to-date")
			l.d.grant(sees("alice", "d1"), sees("alice", "d3"))
			l.says("insert d1", "insert d3", "snapshot-end", "up-to-date")
			l.d.revoke(sees("alice", "d3"))
			l.says("delete d3", "up-to-date")
		}
	})
}

func TestAHeldRequestEndsWhenTheGateIsLost(t *testing.T) {
	eachKindOfWaiting(t, "board", alice, func(l *heldLog) {
		l.d.revoke("workspace:main#member@user:alice")
		l.d.exec("UPDATE documents SET title = 'not for alice'")
		l.endsWith(http.StatusForbidden)
	})
}

func TestAHeldRequestEndsWithItsToken(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.clock.pass(2 * time.Hour)
		l.d.exec("UPDATE documents SET title = 'not for alice any more'")
		l.endsWith(http.StatusUnauthorized)
	})
}

func TestAHeldRequestEndsWithItsSession(t *testing.T) {
	session := func(d *deployment) reader { return d.anybody().with("Cookie", d.as("alice").login()) }
	eachKindOfWaiting(t, "documents", session, func(l *heldLog) {
		l.who.do(http.MethodDelete, "/v1/session", "").is(http.StatusNoContent)
		l.d.exec("UPDATE documents SET title = 'not for alice any more'")
		l.endsWith(http.StatusUnauthorized)
	})
}

func TestASilentHeldRequestEndsWithItsSession(t *testing.T) {
	session := func(d *deployment) reader { return d.anybody().with("Cookie", d.as("alice").login()) }
	eachKindOfWaiting(t, "documents", session, func(l *heldLog) {
		l.who.do(http.MethodDelete, "/v1/session", "").is(http.StatusNoContent)
		l.endsWith(http.StatusUnauthorized)
	}, configured(func(c *proxy.Config) { c.LongPollTimeout, c.StreamTimeout = time.Hour, time.Hour }))
}

func TestASilentStreamEndsWhenItsTokenDoes(t *testing.T) {
	for name, end := range map[string]func(*deployment){
		"its token": func(d *deployment) { d.clock.pass(2 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, configured(func(c *proxy.Config) { c.KeepAlive = 20 * time.Millisecond }))
			alice := d.as("alice")
			first := alice.get("/v1/shapes/documents?offset=-1")
			s := alice.stream("/v1/shapes/documents?live=true&live_sse=true&" + first.onward())
			if got := s.next(); got != ": keep-alive" {
				t.Fatalf("%q, want a keep-alive", got)
			}
			end(d)
			s.ends()
		})
	}
}

func TestTheCaveatContextIsThatOfTheTokenAndTheConnection(t *testing.T) {
	d := deploy(t, granting("document:"+full("d4")+`#viewer@user:dora[cleared:{"needed":3}]`))
	path := "/v1/shapes/cleared?offset=-1"
	d.asClaiming("dora", jwt.MapClaims{"clearance": 3}).get(path).holds("d4")
	d.asClaiming("dora", jwt.MapClaims{"clearance": 2}).get(path).holds()
	// What is missing makes the answer conditional, which is a denial.
	d.as("dora").get(path).holds()
	// Where a request comes from is what the connection says, and nothing else.
	d.replica(nil)
	d.asClaiming("dora", jwt.MapClaims{"clearance": 3, "address": "10.0.0.1"}).
		with("X-Forwarded-For", "10.0.0.1").with("X-Real-Ip", "10.0.0.1").with("Forwarded", "for=10.0.0.1").
		get(path).holds("d4")
}

// A read that does not wait takes its time, too.
func TestWhatIsWrittenWhileACatchUpIsOnItsWayIsNotDelivered(t *testing.T) {
	for _, kind := range []string{"", sse} {
		d := deploy(t, withoutWindow)
		alice, path := d.as("alice"), "/v1/shapes/documents?"
		first := alice.get(path + "offset=-1")
		d.exec("UPDATE documents SET title = 'behind' WHERE id = $1", full("d3"))
		d.upstream.failing(func(a asked) error {
			if a.live() { // the feed's own
				return nil
			}
			d.upstream.back()
			d.revoke(sees("alice", "d1"))
			d.exec("UPDATE documents SET title = 'not for alice' WHERE id = $1", full("d1"))
			return nil
		})
		if kind == "" {
			alice.get(path+first.onward()).says("delete d1", "up-to-date")
			continue
		}
		alice.stream(path+kind+first.onward()).says("delete d1", "up-to-date")
	}
}
