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
	Body     []byte

	First time.Time // the first byte of the body was there
	At    time.Time // all of it was

	length  int64 // -1: chunked
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

// readBody appends the body to b.
func (a *Answer) readBody(r *bufio.Reader, b []byte) ([]byte, error) {
	if a.Status == 204 || a.Status == 304 || a.length == 0 {
		a.First = time.Now()
		return b, nil
	}
	if a.length > 0 {
		return a.read(r, b, a.length)
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return b, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 64)
		if err != nil {
			return b, fmt.Errorf("a chunk's size: %w", err)
		}
		if b, err = a.read(r, b, size); err != nil {
			return b, err
		}
		if _, err := r.Discard(len("\r\n")); err != nil {
			return b, err
		}
		if size == 0 {
			return b, nil
		}
	}
}

// read appends n bytes to b.
func (a *Answer) read(r *bufio.Reader, b []byte, n int64) ([]byte, error) {
	if int64(len(b))+n > MostBody {
		return b, errTooLong
	}
	if a.First.IsZero() {
		if _, err := r.Peek(1); err != nil {
			return b, err
		}
		a.First = time.Now()
	}
	from := len(b)
	if need := from + int(n); need > cap(b) {
		b = append(make([]byte, 0, max(need, 2*cap(b))), b...)
	}
	b = b[:from+int(n)]
	_, err := io.ReadFull(r, b[from:])
	return b, err
}
