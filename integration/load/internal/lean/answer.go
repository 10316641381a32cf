package lean

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Answer is what a shape's client needs of an answer. It may be used again for the
// next.
type Answer struct {
	Status   int
	Handle   string
	Offset   string
	Cursor   string
	UpToDate bool
	Body     []byte // of it, what Conn.Keep says

	First time.Time // the first byte of the body was there
	At    time.Time // all of it was

	length  int64 // -1: chunked
	cut     bool  // Body is the beginning alone
	gzip    bool
	closing bool
}

// Closing says that the connection carries no further request.
func (a *Answer) Closing() bool { return a.closing }

var (
	errNoHTTP  = errors.New("no HTTP/1.1")
	errTooLong = errors.New("it is too long")
)

// readHead reads the status and the headers.
func (a *Answer) readHead(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	version, rest, _ := bytes.Cut(line, []byte(" "))
	if !bytes.HasPrefix(version, []byte("HTTP/1.")) || len(rest) < 3 {
		return errNoHTTP
	}
	status, err := strconv.Atoi(string(rest[:3]))
	if err != nil {
		return errNoHTTP
	}
	*a = Answer{Status: status, Handle: a.Handle, Offset: a.Offset, Cursor: a.Cursor}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if err := a.header(name, bytes.TrimSpace(value)); err != nil {
			return err
		}
	}
}

// header takes a header, if it is one that matters. The length of its name tells
// most others apart at once.
func (a *Answer) header(name, value []byte) (err error) {
	is := func(wanted string) bool {
		return len(name) == len(wanted) && bytes.EqualFold(name, []byte(wanted))
	}
	switch {
	case is("Electric-Handle"):
		keep(&a.Handle, value)
	case is("Electric-Offset"):
		keep(&a.Offset, value)
	case is("Electric-Cursor"):
		keep(&a.Cursor, value)
	case is("Electric-Up-To-Date"):
		a.UpToDate = true
	case is("Content-Length"):
		a.length, err = strconv.ParseInt(string(value), 10, 64)
	case is("Transfer-Encoding"):
		a.length = -1
	case is("Content-Encoding"):
		a.gzip = string(value) == "gzip"
	case is("Connection"):
		a.closing = bytes.EqualFold(value, []byte("close"))
	}
	return err
}

// keep takes a value that is mostly the one of the answer before.
func keep(to *string, value []byte) {
	if *to != string(value) {
		*to = string(value)
	}
}

// MostBody bounds an answer.
const MostBody = 1 << 30

// readBody reads the body into c.body.
func (c *Conn) readBody(a *Answer) error {
	c.body = c.body[:0]
	if a.Status == 204 || a.Status == 304 || a.length == 0 {
		a.First = time.Now()
		return nil
	}
	if a.length > 0 {
		return c.read(a, a.length)
	}
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 64)
		if err != nil {
			return fmt.Errorf("a chunk's size: %w", err)
		}
		if err := c.read(a, size); err != nil {
			return err
		}
		if _, err := c.r.Discard(len("\r\n")); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

// read reads n bytes: as many as are kept into c.body.
func (c *Conn) read(a *Answer, n int64) error {
	if a.First.IsZero() {
		if _, err := c.r.Peek(1); err != nil {
			return err
		}
		a.First = time.Now()
	}
	from, kept := len(c.body), n
	switch {
	case c.Keep > 0:
		kept = min(n, int64(c.Keep-from))
	case int64(from)+n > MostBody:
		return errTooLong
	}
	if need := from + int(kept); need > cap(c.body) {
		c.body = append(make([]byte, 0, max(need, 2*cap(c.body))), c.body...)
	}
	c.body = c.body[:from+int(kept)]
	if _, err := io.ReadFull(c.r, c.body[from:]); err != nil || kept == n {
		return err
	}
	a.cut = true
	return c.discard(n - kept)
}

// discard reads n bytes and drops them. A long answer may take as long as it goes on.
func (c *Conn) discard(n int64) error {
	const atOnce = 1 << 20
	for ; n > 0; n -= atOnce {
		if err := c.net.SetDeadline(time.Now().Add(longestAnswer)); err != nil {
			return err
		}
		if _, err := c.r.Discard(int(min(n, atOnce))); err != nil {
			return err
		}
	}
	return nil
}
