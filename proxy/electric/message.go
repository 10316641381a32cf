package electric

import "strconv"

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
