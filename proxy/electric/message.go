package electric

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
)

// Operation is the kind of change that a message describes.
type Operation uint8

// The operations, and Control: a message about the log and not about a row.
const (
	Control Operation = iota
	Insert
	Update
	Delete
)

// The control messages of Electric 1.7.
const (
	ControlUpToDate    = "up-to-date"
	ControlMustRefetch = "must-refetch"
	ControlSnapshotEnd = "snapshot-end"
)

// Message is one message of a log, or one row of a snapshot. Its slices belong to the
// buffer of the reader: they are valid until the next message is read.
type Message struct {
	Raw       []byte // the whole message, as Electric wrote it
	Operation Operation
	Control   string // of a Control message

	// KeyChange is the other key of a primary-key change, or nil. Electric writes such a
	// change as a delete and an insert (recording 02).
	KeyChange []byte

	key, value, old, headers []byte

	remembered []rememberedColumn
}

// rememberedColumn is a column that Remember has read.
type rememberedColumn struct {
	name     string
	now, old Value
}

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
	if end, err = checkObject(b, 0, 0, m.set); err != nil {
		return 0, err
	}
	return end, s.parse(m)
}

// set stores one member of the message.
func (m *Message) set(name, value []byte) {
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
		relation, err := m.parseHeaders()
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

// parseHeaders reads the headers. It returns the value of the header relation, or nil.
func (m *Message) parseHeaders() (relation []byte, err error) {
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

// Value is one column of a row.
type Value struct {
	Text    []byte // how Postgres prints it; nil if Null
	Null    bool
	Present bool // false: the message says nothing of the column
}

// Remember reads some columns in advance. It is for a message whose columns are read
// many times: reading them again costs next to nothing.
func (m *Message) Remember(names []string) error {
	all := make([]rememberedColumn, len(names))
	for i, name := range names {
		c := rememberedColumn{name: name}
		var err error
		if c.now, err = m.Column(name); err != nil {
			return err
		}
		if c.old, err = m.OldColumn(name); err != nil {
			return err
		}
		all[i] = c
	}
	m.remembered = all
	return nil
}

// Column returns a column of the row after the change; of a delete, before it.
func (m *Message) Column(name string) (Value, error) {
	for i := range m.remembered {
		if m.remembered[i].name == name {
			return m.remembered[i].now, nil
		}
	}
	return column(m.value, name)
}

// OldColumn returns a column of the row before an update. A column that the message does
// not list as changed has its present value. Only logs with ReplicaFull contain old
// values.
func (m *Message) OldColumn(name string) (Value, error) {
	for i := range m.remembered {
		if m.remembered[i].name == name {
			return m.remembered[i].old, nil
		}
	}
	if m.old != nil {
		if v, err := column(m.old, name); err != nil || v.Present {
			return v, err
		}
	}
	return column(m.value, name)
}

func column(object []byte, name string) (v Value, err error) {
	members(object, func(f member) bool {
		if !stringIs(f.name, name) {
			return true
		}
		v.Present = true
		if string(f.value) == "null" {
			v.Null = true
		} else {
			v.Text, err = unquote(f.value)
		}
		return false
	})
	return v, err
}

// AppendAs appends an update to dst as another operation. As an Insert it has the new
// row: the reader could not see the row before. As a Delete it has the old row, as the
// deletes of ReplicaFull do: the reader cannot see the row any more. The message must be
// an Update of a log with ReplicaFull.
func (m *Message) AppendAs(dst []byte, op Operation) []byte {
	dst = append(dst, `{"key":`...)
	dst = append(dst, m.key...)
	dst = append(dst, `,"value":`...)
	if op == Delete {
		dst = m.appendOldRow(dst)
	} else {
		dst = append(dst, m.value...)
	}
	dst = append(dst, `,"headers":{`...)
	first := true
	members(m.headers, func(f member) bool {
		if stringIs(f.name, "operation") {
			f.value = operationNames[op]
		}
		dst, first = appendMember(dst, f, first), false
		return true
	})
	return append(dst, "}}"...)
}

// Offset returns the position of the message in the log, or Start if it has none.
func (m *Message) Offset() Offset {
	var o Offset
	members(m.headers, func(f member) bool {
		switch {
		case stringIs(f.name, "lsn"):
			o.lsn, _ = number(f.value)
		case stringIs(f.name, "op_position"):
			o.op, _ = number(f.value)
		}
		return true
	})
	return o
}

// LastSeenLSN returns the global_last_seen_lsn of an up-to-date message: the LSN up to
// which Electric has processed the database. It is 0 if the message has none.
func (m *Message) LastSeenLSN() uint64 {
	var lsn uint64
	members(m.headers, func(f member) bool {
		if stringIs(f.name, "global_last_seen_lsn") {
			lsn, _ = number(f.value)
		}
		return true
	})
	return lsn
}

// number reads a JSON number, or a JSON string that contains one.
func number(value []byte) (uint64, bool) {
	if len(value) >= 2 && value[0] == '"' {
		value = value[1 : len(value)-1]
	}
	n, err := strconv.ParseUint(string(value), 10, 64)
	return n, err == nil
}

// Key returns the key of the row as a JSON string, with its quotes.
func (m *Message) Key() []byte { return m.key }

// AppendEnd appends a delete of the row to dst that contains its key and the columns of
// its primary key, and nothing else of the row or the message.
func (m *Message) AppendEnd(dst []byte, key []string) []byte {
	return m.appendEnd(dst, key, false)
}

// AppendEndAt is AppendEnd with the message's transactions: a client that has a newer row
// from a subset sees by them that the delete is older, and keeps the row.
func (m *Message) AppendEndAt(dst []byte, key []string) []byte {
	return m.appendEnd(dst, key, true)
}

func (m *Message) appendEnd(dst []byte, key []string, txids bool) []byte {
	dst = append(dst, `{"key":`...)
	dst = append(dst, m.key...)
	dst = append(dst, `,"value":{`...)
	first := true
	members(m.value, func(f member) bool {
		if slices.ContainsFunc(key, func(name string) bool { return stringIs(f.name, name) }) {
			dst, first = appendMember(dst, f, first), false
		}
		return true
	})
	dst = append(dst, `},"headers":{"operation":"delete"`...)
	members(m.headers, func(f member) bool {
		if stringIs(f.name, "relation") || txids && stringIs(f.name, "txids") {
			dst = appendMember(dst, f, false)
		}
		return true
	})
	return append(dst, "}}"...)
}

var operationNames = [...][]byte{Insert: []byte(`"insert"`), Update: []byte(`"update"`), Delete: []byte(`"delete"`)}

func (m *Message) appendOldRow(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	members(m.value, func(f member) bool {
		members(m.old, func(old member) bool {
			if bytes.Equal(old.name, f.name) {
				f.value = old.value
				return false
			}
			return true
		})
		dst, first = appendMember(dst, f, first), false
		return true
	})
	return append(dst, '}')
}

// AppendWithoutKeyChange appends the message to dst without the header that contains the
// other key of a primary-key change.
func (m *Message) AppendWithoutKeyChange(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	members(m.Raw, func(f member) bool {
		if stringIs(f.name, "headers") {
			f.value = withoutKeyChange(f.value)
		}
		dst, first = appendMember(dst, f, first), false
		return true
	})
	return append(dst, '}')
}

func withoutKeyChange(headers []byte) []byte {
	out := append(make([]byte, 0, len(headers)), '{')
	first := true
	members(headers, func(f member) bool {
		if !isKeyChange(f.name) {
			out, first = appendMember(out, f, first), false
		}
		return true
	})
	return append(out, '}')
}

func appendMember(dst []byte, f member, first bool) []byte {
	if !first {
		dst = append(dst, ',')
	}
	dst = append(dst, f.name...)
	dst = append(dst, ':')
	return append(dst, f.value...)
}
