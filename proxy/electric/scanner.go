package electric

import (
	"bytes"
	"errors"
)

// ParseMessage parses a copy of the Raw of a message that a reader returned.
func ParseMessage(raw []byte) (Message, error) {
	var m Message
	end, err := new(messageScanner).scan(raw, &m)
	m.Raw = raw
	if errors.Is(err, errShort) || err == nil && skipSpace(raw, end) < len(raw) {
		err = errNotJSON
	}
	return m, err
}

// messageScanner reads the messages of one body.
type messageScanner struct {
	spelling *spelling // of the keys; nil: any will do

	// inserts are the headers of the last insert. Those of the next one are often the
	// same, as all rows of a snapshot have them, and are then not read again.
	inserts []byte

	// odd is whether the last message spells its keys or its relation in another way.
	odd bool
}

// scan reads the message that b begins with, all but Raw, and returns its end. A message
// of an unknown kind is an error, since it cannot be decided who may see it. Errors are
// those of checkValue.
func (s *messageScanner) scan(b []byte, m *Message) (end int, err error) {
	*m = Message{}
	if len(b) == 0 || b[0] != '{' {
		return 0, protocolErrorf("a message is not an object")
	}
	if end, err = checkObject(b, 0, 0, func(name, value []byte) { setMember(m, name, value) }); err != nil {
		return 0, err
	}
	return end, s.parse(m)
}

// setMember stores one member of a message.
func setMember(m *Message, name, value []byte) {
	switch {
	case stringIs(name, "key"):
		m.key = value
	case stringIs(name, "value"):
		m.value = value
	case stringIs(name, "headers"):
		m.headers = value
	case stringIs(name, "old_value"):
		m.old = value
	}
}

// parse reads the headers, and checks that the message has the members that its
// operation needs.
func (s *messageScanner) parse(m *Message) error {
	s.odd = false
	if len(s.inserts) > 0 && bytes.Equal(s.inserts, m.headers) {
		m.Operation = Insert
	} else {
		relation, err := parseHeaders(m)
		if err != nil {
			return err
		}
		s.odd = s.spelling != nil && s.spelling.isOdd(relation, m.KeyChange)
		if m.Operation == Insert && !s.odd {
			s.inserts = append(s.inserts[:0], m.headers...)
		}
	}
	if m.Operation == Control {
		s.odd = false
		return nil
	}
	if !isObject(m.value) || m.key == nil {
		return protocolErrorf("a message without key or value")
	}
	s.odd = s.odd || s.spelling != nil && !s.spelling.has(m.key)
	return nil
}

// respell rewrites the keys and the relation of the message in a copy, which is made in
// buf. It returns the buffer.
func (s *messageScanner) respell(m *Message, buf []byte) ([]byte, error) {
	buf, err := s.spelling.appendMessage(buf[:0], m.Raw)
	if err != nil {
		return buf, err
	}
	*m, err = ParseMessage(buf)
	return buf, err
}

// parseHeaders reads the headers of a message. It returns the value of the header relation, or nil.
func parseHeaders(m *Message) (relation []byte, err error) {
	var operation, control []byte
	members(m.headers, func(f member) bool {
		switch {
		case stringIs(f.name, "operation"):
			operation = f.value
		case stringIs(f.name, "control"):
			control = f.value
		case stringIs(f.name, "relation"):
			relation = f.value
		case isKeyChange(f.name):
			m.KeyChange, err = unquote(f.value)
		}
		return err == nil
	})
	switch {
	case err != nil:
		return nil, err
	case operation != nil && control != nil:
		return nil, protocolErrorf("a message with both an operation and a control")
	case stringIs(operation, "insert"):
		m.Operation = Insert
	case stringIs(operation, "update"):
		m.Operation = Update
	case stringIs(operation, "delete"):
		m.Operation = Delete
	case control != nil:
		text, err := unquote(control)
		m.Control = string(text)
		return nil, err
	default:
		return nil, protocolErrorf("a message of an unknown kind")
	}
	return relation, nil
}

func isKeyChange(name []byte) bool {
	return stringIs(name, "key_change_to") || stringIs(name, "key_change_from")
}

func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }
