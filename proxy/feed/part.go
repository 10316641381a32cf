package feed

import (
	"io"
	"slices"
	"strconv"

	"github.com/shapegate/shapegate/proxy/electric"
)

// Place is a place in a log.
type Place struct {
	Handle string // Electric's
	Offset electric.Offset

	// Known is whether Electric itself has named the place in an answer.
	Known bool
}

// Part is a part of a log: the messages after one place, up to another. It is read by
// one reader, who closes it.
type Part struct {
	End      Place
	Schema   *electric.Schema
	UpToDate bool   // it reaches the end of the log
	LastSeen uint64 // the LSN that Electric has seen of the whole database
	Away     bool   // Electric does not answer now: the part may not be all there is

	from     electric.Offset
	batches  []*batch // from memory, or
	response *electric.LogResponse

	answer *Answer // what the cohort that was woken for it is sent
	cohort *Cohort

	batch, entry int // to be read next
	over         bool
	control      electric.Message
}

// Next returns the next message, or io.EOF after the last one; electric.MessageReader
// says what the errors mean. The message may be shared, and must not be changed. A
// part that reaches the log's end ends with a control message that says so.
func (p *Part) Next() (*electric.Message, error) {
	if p.response != nil {
		return p.response.Next()
	}
	for p.batch < len(p.batches) {
		b := p.batches[p.batch]
		if p.entry == len(b.entries) {
			p.batch, p.entry = p.batch+1, 0
			continue
		}
		m := &b.entries[p.entry].message
		p.entry++
		if b.from.Compare(p.from) < 0 && isBefore(m, p.from) {
			continue
		}
		return m, nil
	}
	if p.over || !p.UpToDate {
		return nil, io.EOF
	}
	p.over = true
	p.control = electric.Message{Raw: UpToDateMessage(p.LastSeen), Operation: electric.Control, Control: electric.ControlUpToDate}
	return &p.control, nil
}

// isBefore reports whether a message is not after a place.
func isBefore(m *electric.Message, at electric.Offset) bool {
	return m.Operation != electric.Control && m.Offset().Compare(at) <= 0
}

// Empty reports whether it is known that there are no messages in it.
func (p *Part) Empty() bool { return p.response == nil && len(p.batches) == 0 }

// InMemory reports whether it was read before.
func (p *Part) InMemory() bool { return p.response == nil }

// Size is how much of the log a part in memory has, in bytes.
func (p *Part) Size() (n int) {
	for _, b := range p.batches {
		n += b.size
	}
	return n
}

// Woken reports whether it is what a whole cohort was woken for.
func (p *Part) Woken() bool { return p.answer != nil }

// TellsOf reports whether it may tell of a transaction before one.
func (p *Part) TellsOf(newest electric.TxID) bool {
	return slices.ContainsFunc(p.batches, func(b *batch) bool { return b.hasOldest && b.oldest.Before(newest) })
}

// Close ends the reading.
func (p *Part) Close() error {
	if p.response == nil {
		return nil
	}
	return p.response.Close()
}

// UpToDateMessage is the control message that ends a log that was read to its end, as
// seen from lsn (recordings 01 and 04).
func UpToDateMessage(lsn uint64) []byte {
	b := append([]byte(nil), `{"headers":{"control":"up-to-date","global_last_seen_lsn":"`...)
	b = strconv.AppendUint(b, lsn, 10)
	return append(b, `"}}`...)
}
