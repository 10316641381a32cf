// Package lean is an HTTP/1.1 client that costs little, so that what is measured
// is the server: one connection per reader, requests that are written by hand, and
// a reader of answers that keeps of their headers what a shape's client needs.
package lean

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Conn is a connection that carries one request at a time. It is not safe for
// concurrent use.
type Conn struct {
	// Keep is how many bytes of a body are kept, as they were sent; the rest is read and
	// dropped. 0: all.
	Keep int

	net  net.Conn
	r    *bufio.Reader
	stop func() bool

	body, plain []byte // what the last answer was read into
}

// bufferSize has to hold the longest line of a header.
const bufferSize = 4 << 10

// Dial connects to the host of a URL. The connection ends with ctx.
func Dial(ctx context.Context, base *url.URL) (*Conn, error) {
	address := base.Host
	if base.Port() == "" {
		address = net.JoinHostPort(base.Hostname(), base.Scheme)
	}
	var c net.Conn
	var err error
	if base.Scheme == "https" {
		c, err = new(tls.Dialer).DialContext(ctx, "tcp", address)
	} else {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	return &Conn{
		net: c, r: bufio.NewReaderSize(c, bufferSize),
		stop: context.AfterFunc(ctx, func() { _ = c.Close() }),
	}, nil
}

// Close closes the connection.
func (c *Conn) Close() error {
	if !c.stop() {
		return nil // the context has closed it
	}
	return c.net.Close()
}

// longestAnswer bounds how long an answer may keep a reader: longer than any
// long-poll.
const longestAnswer = 2 * time.Minute

// Do sends a request, and reads all of its answer. What a has of the body holds
// until the next call.
func (c *Conn) Do(request []byte, a *Answer) error {
	if err := c.net.SetDeadline(time.Now().Add(longestAnswer)); err != nil {
		return err
	}
	if _, err := c.net.Write(request); err != nil {
		return err
	}
	if err := a.readHead(c.r); err != nil {
		return fmt.Errorf("the answer's head: %w", err)
	}
	if err := c.readBody(a); err != nil {
		return fmt.Errorf("the answer's body: %w", err)
	}
	a.At = time.Now()
	a.Body = c.body
	if a.gzip {
		var err error
		if c.plain, err = unzip(c.body, c.plain[:0]); err != nil && !a.cut {
			return fmt.Errorf("the answer's body: %w", err)
		}
		a.Body = c.plain
	}
	c.shrink()
	return nil
}

// mostKept bounds the buffers that a waiting reader holds on to.
const mostKept = 8 << 10

// shrink lets go of what a large answer needed. The answer keeps it as long as it
// is used.
func (c *Conn) shrink() {
	if cap(c.body) > mostKept {
		c.body = nil
	}
	if cap(c.plain) > mostKept {
		c.plain = nil
	}
}

// Request writes a request by hand. Extra headers are lines without their ends.
func Request(method string, base *url.URL, query, body string, headers ...string) []byte {
	path := base.EscapedPath()
	separator := "?"
	if base.RawQuery != "" {
		path += "?" + base.RawQuery
		separator = "&"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s%s%s HTTP/1.1\r\nHost: %s\r\n", method, path, separator, query, base.Host)
	for _, line := range headers {
		b.WriteString(line + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return []byte(b.String())
}
