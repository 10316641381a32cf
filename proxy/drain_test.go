package proxy_test

import (
	"testing"
)

func TestDrainAnswersWhatIsHeld(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	poll := alice.hold("/v1/shapes/documents?live=true&" + first.onward())
	s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
	d.waitHeld(2)
	if got := d.metric("shapegate_held_requests"); got != 2 {
		t.Errorf("%v requests are counted as held", got)
	}
	d.handler.Drain()
	a := poll.answer().says("up-to-date")
	if !a.upToDate() || a.handle() != first.handle() || a.offset() != first.offset() || a.cursor() == "" {
		t.Errorf("headers %v", a.header)
	}
	if rest := s.ends(); len(rest) > 0 {
		t.Errorf("the stream ended with %q", rest)
	}
	d.waitHeld(0)
}

func TestNoRequestWaitsWhileDraining(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.handler.Drain()
	d.handler.Drain()
	alice.get("/v1/shapes/documents?live=true&" + first.onward()).says("up-to-date")
	alice.stream("/v1/shapes/documents?" + sse + first.onward()).ends()
	alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	d.waitHeld(0)
}
