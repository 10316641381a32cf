package electric

import (
	"errors"
	"io"
)

// source reads a body of JSON, value by value. It holds the largest value, and what it
// has read ahead.
//
// Every row for every reader passes through it. It finds the ends of strings and does
// not check their content, which saves half the time of a first read compared with
// encoding/json. The code that uses a string checks it: see unquote.
type source struct {
	body io.Reader
	buf  []byte
	at   int // the bytes before it have been taken
}

// ahead is how many bytes are read ahead, and atFirst how many at the beginning: most snapshots
// of a resync are a row or two.
const (
	ahead   = 32 << 10
	atFirst = 4 << 10
)

// fill reads more of the body. An error of the body, and its end, are an
// *UnavailableError.
func (s *source) fill() error {
	if s.at > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.at:])]
		s.at = 0
	}
	switch {
	case s.buf == nil:
		s.buf = make([]byte, 0, atFirst)
	case len(s.buf) == cap(s.buf):
		s.buf = append(make([]byte, 0, max(ahead, 2*cap(s.buf))), s.buf...)
	}
	n, err := s.body.Read(s.buf[len(s.buf):cap(s.buf)])
	s.buf = s.buf[:len(s.buf)+n]
	switch {
	case n > 0 || err == nil:
		return nil // the next read returns the error again
	case errors.Is(err, io.EOF):
		return &UnavailableError{Err: io.ErrUnexpectedEOF}
	default:
		return &UnavailableError{Err: err}
	}
}

// peek returns the next byte that is not white space, and does not take it.
func (s *source) peek() (byte, error) {
	for {
		if s.at = skipSpace(s.buf, s.at); s.at < len(s.buf) {
			return s.buf[s.at], nil
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// take takes the next byte that is not white space, which must be c.
func (s *source) take(c byte) error {
	next, err := s.peek()
	if err != nil {
		return err
	}
	if next != c {
		return protocolErrorf("a body is not of the form that its headers promise")
	}
	s.at++
	return nil
}

// next moves to the next element or member, and reports whether there is one. If there
// is none it takes the closing byte. It sets first to false.
func (s *source) next(first *bool, closing byte) (bool, error) {
	c, err := s.peek()
	switch {
	case err != nil:
		return false, err
	case c == closing:
		s.at++
		return false, nil
	case *first:
		*first = false
		return true, nil
	case c != ',':
		return false, errNotJSON
	}
	s.at++
	return true, nil
}

// end returns io.EOF if only white space follows.
func (s *source) end() error {
	_, err := s.peek()
	switch {
	case err == nil:
		return protocolErrorf("a body goes on after its end")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.EOF
	default:
		return err
	}
}

// value takes the next value. The result is valid until the next call.
func (s *source) value() ([]byte, error) {
	var end int
	err := s.scan(func(b []byte) (err error) {
		end, err = checkValue(b, 0, 0)
		return err
	})
	return s.taken(end), err
}

// name takes the name of a member, and the colon.
func (s *source) name() (string, error) {
	if c, err := s.peek(); err != nil {
		return "", err
	} else if c != '"' {
		return "", errNotJSON
	}
	quoted, err := s.value()
	if err != nil {
		return "", err
	}
	name, err := unquote(quoted)
	if err != nil {
		return "", err
	}
	text := string(name)
	return text, s.take(':')
}

// scanner reads the message that b begins with, see messageScanner.scan.
type scanner interface {
	scan(b []byte, m *Message) (end int, err error)
}

// message takes the next value, which must be a message.
func (s *source) message(m *Message, by scanner) error {
	var end int
	err := s.scan(func(b []byte) (err error) {
		end, err = by.scan(b, m)
		return err
	})
	m.Raw = s.taken(end)
	return err
}

func (s *source) taken(n int) []byte {
	text := s.buf[s.at : s.at+n : s.at+n]
	s.at += n
	return text
}

// scan calls scanned with the unread part of the buffer, and again with more of it as
// long as the result is errShort.
func (s *source) scan(scanned func(b []byte) error) error {
	if _, err := s.peek(); err != nil {
		return err
	}
	for {
		err := scanned(s.buf[s.at:])
		if !errors.Is(err, errShort) {
			return err
		}
		// A short value is scanned again as soon as there is more of it. A long one waits
		// for twice as much, so that the total work is linear in its length.
		has := len(s.buf) - s.at
		for more := true; more; more = has > ahead && len(s.buf)-s.at < 2*has {
			if err := s.fill(); err != nil && len(s.buf)-s.at == has {
				return err
			} else if err != nil {
				break
			}
		}
	}
}
