package electric

import (
	"errors"
	"io"
)

// source reads a body of JSON, value by value. Its memory is that of the largest value,
// and what is read ahead.
//
// It is the project's own, since every row that anybody is sent passes through it: a
// decoder that checks each string for what it holds takes half the time of a first
// read. Of strings it finds the ends, and passes on what is in them as it came; whoever
// reads one checks it, see unquote.
type source struct {
	body io.Reader
	buf  []byte
	at   int // what is before it was read
}

// ahead is how much is read ahead, in bytes.
const ahead = 32 << 10

// fill reads more. An error of the body is an *UnavailableError, as is its end.
func (s *source) fill() error {
	if s.at > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.at:])]
		s.at = 0
	}
	if len(s.buf) == cap(s.buf) {
		s.buf = append(make([]byte, 0, max(ahead, 2*cap(s.buf))), s.buf...)
	}
	n, err := s.body.Read(s.buf[len(s.buf):cap(s.buf)])
	s.buf = s.buf[:len(s.buf)+n]
	switch {
	case n > 0 || err == nil:
		return nil // an error comes again
	case errors.Is(err, io.EOF):
		return &UnavailableError{Err: io.ErrUnexpectedEOF}
	default:
		return &UnavailableError{Err: err}
	}
}

// peek returns the next byte that is not space, without taking it.
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

// take takes the next byte that is not space, which has to be c.
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

// next moves to the next part of an array or an object, and reports whether there is
// one; if not, it takes what closes it. first is cleared.
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

// end makes sure that nothing but space follows, and returns io.EOF if that is so.
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

// value takes the next value. It holds until the next call.
func (s *source) value() ([]byte, error) {
	var end int
	err := s.scan(func(b []byte) (err error) {
		end, err = checkValue(b, 0, 0)
		return err
	})
	return s.taken(end), err
}

// name takes the name of a member, and what follows it.
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

// message takes the next value, which has to be a message.
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

// scan has scanned look at what comes next, as long as it does not say errShort.
func (s *source) scan(scanned func(b []byte) error) error {
	if _, err := s.peek(); err != nil {
		return err
	}
	for {
		err := scanned(s.buf[s.at:])
		if !errors.Is(err, errShort) {
			return err
		}
		// A short value is looked at again as soon as there is more of it; one that is
		// long, when there is twice as much, or all.
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
