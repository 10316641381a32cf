package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/proxy"
)

// connection is one to the proxy that a test writes to byte by byte.
type connection struct {
	d *deployment
	net.Conn
	in *bufio.Reader
}

func (d *deployment) connect() *connection {
	d.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(d.context(), "tcp", strings.TrimPrefix(d.url, "http://"))
	d.check(err)
	d.end(func() { _ = conn.Close() })
	d.check(conn.SetDeadline(time.Now().Add(deadline)))
	return &connection{d, conn, bufio.NewReader(conn)}
}

// begin sends the head of alice's request, and what there is of its body.
func (c *connection) begin(token, line string, more ...string) {
	c.d.t.Helper()
	head := line + " HTTP/1.1\r\nHost: shapegate\r\n"
	if token != "" {
		head += "Authorization: Bearer " + token + "\r\n"
	}
	_, err := io.WriteString(c, head+strings.Join(more, ""))
	c.d.check(err)
}

// answer reads the answer. closed shows whether the connection stays open.
func (c *connection) answer() *answer {
	c.d.t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	return reader{c.d, nil}.answer(resp, err)
}

// closed waits for the server to close the connection.
func (c *connection) closed() {
	c.d.t.Helper()
	if b, err := c.in.ReadByte(); err == nil {
		c.d.t.Errorf("the connection goes on with %q", b)
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		c.d.t.Error("the connection stays open")
	}
}

// drip sends a byte now and then until the connection ends.
func (c *connection) drip() {
	ctx, cancel := context.WithCancel(c.d.t.Context())
	done := make(chan struct{})
	c.d.end(func() { cancel(); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if _, err := io.WriteString(c, " "); err != nil {
				return
			}
		}
	}()
}

const post = "POST /v1/shapes/documents?offset=now"

// within makes sure that something does not take long.
func within(t *testing.T, d time.Duration, what string, do func()) {
	t.Helper()
	started := time.Now()
	do()
	if took := time.Since(started); took > d {
		t.Errorf("%s took %v", what, took)
	}
}

func TestABodyThatDripsHasADeadline(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.BodyTime = 500 * time.Millisecond }))
	token := d.token("alice", nil)
	for _, kind := range []string{"Content-Length: 1000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n{"} {
		for _, line := range []string{post, "GET /v1/shapes/documents?offset=-1", "POST /v1/session"} {
			within(t, 5*time.Second, line, func() {
				c := d.connect()
				c.begin(token, line, kind)
				c.drip()
				c.answer().refused(http.StatusBadRequest, "body")
				c.closed()
			})
		}
	}
}

// What is refused without a look at the body is refused at once, and the server
// does not read on afterwards, to use the connection again.
func TestABodyThatIsNotReadIsNotWaitedFor(t *testing.T) {
	d := deploy(t)
	token := d.token("alice", nil)
	for _, tt := range []struct {
		token, line string
		status      int
	}{
		{"", post, http.StatusUnauthorized},
		{"nonsense", post, http.StatusUnauthorized},
		{"", "POST /v1/session", http.StatusUnauthorized},
		{"", "DELETE /v1/session", http.StatusUnauthorized},
		{"", "GET /v1/session", http.StatusUnauthorized},
		{token, "POST /v1/nowhere", http.StatusNotFound},
		{token, "POST /v1//shapes", http.StatusNotFound},
		{token, "POST /v1/shapes/nothing?offset=now", http.StatusNotFound},
		{token, "PUT /v1/shapes/documents", http.StatusMethodNotAllowed},
		{token, "OPTIONS /v1/shapes/documents", http.StatusNoContent},
		{token, post + "&nonsense=1", http.StatusBadRequest},
	} {
		for _, kind := range []string{"Content-Length: 1000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n{", "Content-Length: 1000\r\n\r\n"} {
			within(t, 5*time.Second, tt.line, func() {
				c := d.connect()
				c.begin(tt.token, tt.line, kind)
				c.drip()
				c.answer().is(tt.status)
				c.closed()
			})
		}
	}
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
}

func TestARequestThatIsRefusedForItsRateIsNotReadOn(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.Limits = proxy.Limits{Rate: 0.001, Burst: 1} }))
	token := d.token("alice", nil)
	d.as("alice").get("/v1/shapes/documents?offset=now").is(http.StatusOK)
	within(t, 5*time.Second, "the refusal", func() {
		c := d.connect()
		c.begin(token, post, "Content-Length: 1000\r\n\r\n{")
		c.drip()
		a := c.answer()
		a.refused(http.StatusTooManyRequests, "")
		if a.header.Get("Retry-After") == "" {
			t.Error("no word of when to come back")
		}
		c.closed()
	})
	d.as("alice").post("/v1/session", "").refused(http.StatusTooManyRequests, "")
	d.as("bob").get("/v1/shapes/documents?offset=now").is(http.StatusOK)
	if got := d.metric("shapegate_limited_requests_total"); got != 2 {
		t.Errorf("%v refusals are counted", got)
	}
}

func TestADrainDoesNotWaitForABody(t *testing.T) {
	d := deploy(t)
	started, late := d.connect(), d.connect()
	token := d.token("alice", nil)
	started.begin(token, post, "Content-Length: 1000\r\n\r\n{")
	started.drip()
	d.await(func() bool { return d.metric("shapegate_limited_subjects") == 1 })
	within(t, 5*time.Second, "the end", func() {
		d.handler.Drain()
		late.begin(token, post, "Content-Length: 1000\r\n\r\n{")
		late.drip()
		for _, c := range []*connection{started, late} {
			c.answer().refused(http.StatusServiceUnavailable, "")
			c.closed()
		}
	})
	// A body that is there is read as ever.
	d.as("alice").post("/v1/shapes/documents?offset=now", `{"where":"true"}`).holds("d1", "d2")
}

func TestAMalformedBodyIsABadRequestAndNoError(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.BodyTime = 2 * time.Second }))
	token := d.token("alice", nil)
	long := strings.Repeat("x", 20_000)
	for name, chunks := range map[string]string{
		"a size that is no number":         "xyz\r\n{}\r\n0\r\n\r\n",
		"a negative size":                  "-2\r\n{}\r\n0\r\n\r\n",
		"a size with a prefix":             "0x2\r\n{}\r\n0\r\n\r\n",
		"a size that overflows":            "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
		"an empty size":                    "\r\n{}\r\n0\r\n\r\n",
		"a bare line feed":                 "2\n{}\n0\n\n",
		"a carriage return within":         "2\r\r\n{}\r\n0\r\n\r\n",
		"a chunk without its end":          "2\r\n{}0\r\n\r\n",
		"a chunk that is longer than said": "1\r\n{}\r\n0\r\n\r\n",
		"a long extension":                 "2;" + long + "\r\n{}\r\n0\r\n\r\n",
		"a long size":                      long + "\r\n{}\r\n0\r\n\r\n",
		"a malformed trailer":              "2\r\n{}\r\n0\r\nno colon\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := d.connect()
			c.begin(token, post, "Transfer-Encoding: chunked\r\n\r\n"+chunks)
			a := c.answer()
			a.t = t
			a.refused(http.StatusBadRequest, "body")
			c.closed()
		})
	}
	t.Run("a body that breaks off", func(t *testing.T) {
		for _, kind := range []string{"Content-Length: 1000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{"} {
			c := d.connect()
			c.begin(token, post, kind)
			d.check(c.Conn.(*net.TCPConn).CloseWrite())
			a := c.answer()
			a.t = t
			a.refused(http.StatusBadRequest, "body")
		}
	})
	if strings.Contains(d.logged.String(), "level=ERROR") {
		t.Error("an error was logged:", d.logged.String())
	}
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
}

func TestAConnectionGoesOnAfterABodyThatWasRead(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.BodyTime = 300 * time.Millisecond; c.LongPollTimeout = time.Second }))
	token := d.token("alice", nil)
	c := d.connect()
	const body = `{"where":"true"}`
	c.begin(token, post, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
	c.answer().holds("d1", "d2")
	c.begin(token, post, fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body))
	first := c.answer().holds("d1", "d2")
	// The deadline of the body is not one of the answer.
	c.begin(token, "POST /v1/shapes/documents?live=true&"+first.onward(), "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	c.answer().says("up-to-date")
	c.begin(token, "GET /v1/shapes/documents?live=true&"+first.onward(), "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	c.answer().says("up-to-date")
}

func TestOnlyAPOSTHasABody(t *testing.T) {
	d := deploy(t)
	token := d.token("alice", nil)
	c := d.connect()
	c.begin(token, "GET /v1/shapes/documents?offset=-1", "Content-Length: 2\r\n\r\n{}")
	c.answer().refused(http.StatusBadRequest, "body")
}
