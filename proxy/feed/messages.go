package feed

import "github.com/shapegate/shapegate/proxy/electric"

// messages are the messages of some batches that come after a position. They are read
// once, in order. A batch is shared with other readers and does not change.
type messages struct {
	after   electric.Offset // only the first batch has messages at or before it
	batches []*batch

	batch, entry int // the next message
}

// next returns the next message, or nil after the last one.
func (m *messages) next() *electric.Message {
	for m.batch < len(m.batches) {
		b := m.batches[m.batch]
		if m.entry == len(b.entries) {
			m.batch, m.entry = m.batch+1, 0
			continue
		}
		next := &b.entries[m.entry].message
		m.entry++
		if b.from.Compare(m.after) < 0 && isBefore(next, m.after) {
			continue
		}
		return next
	}
	return nil
}

// isBefore reports whether a message is at or before a position. Control messages have
// no position and are never before one.
func isBefore(m *electric.Message, at electric.Offset) bool {
	return m.Operation != electric.Control && m.Offset().Compare(at) <= 0
}
