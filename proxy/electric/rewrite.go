package electric

import (
	"bytes"
	"slices"
)

// AppendAs appends an update to dst as another operation. As an Insert it has the new
// row: the reader could not see the row before. As a Delete it has the old row, as the
// deletes of ReplicaFull do: the reader cannot see the row any more. The message must be
// an Update of a log with ReplicaFull.
func (m *Message) AppendAs(dst []byte, op Operation) []byte {
	dst = append(dst, `{"key":`...)
	dst = append(dst, m.key...)
	dst = append(dst, `,"value":`...)
	if op == Delete {
		dst = appendOldRow(dst, m.value, m.old)
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

// AppendEnd appends a delete of the row to dst that contains its key and the columns of
// its primary key, and nothing else of the row or the message.
func (m *Message) AppendEnd(dst []byte, key []string) []byte {
	return appendEnd(dst, m, key, false)
}

// AppendEndAt is AppendEnd with the message's transactions: a client that has a newer row
// from a subset sees by them that the delete is older, and keeps the row.
func (m *Message) AppendEndAt(dst []byte, key []string) []byte {
	return appendEnd(dst, m, key, true)
}

func appendEnd(dst []byte, m *Message, key []string, txids bool) []byte {
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

// appendOldRow appends a row as it was before an update.
func appendOldRow(dst, row, before []byte) []byte {
	dst = append(dst, '{')
	first := true
	members(row, func(f member) bool {
		members(before, func(old member) bool {
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
