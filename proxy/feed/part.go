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

	// Known says that Electric itself returned this place.
	Known bool
}

// Part is a part of a log: the messages after one position, up to another. One reader
// reads it, and must Close it.
type Part struct {
	End      Place
	Schema   *electric.Schema
	UpToDate bool   // the part reaches the end of the log
	LastSeen uint64 // the LSN up to which Electric has processed the database
	Away     bool   // Electric does not answer now: the part may not be all there is

	from     electric.Offset
	batches  []*batch // from the window, or
	response *electric.LogResponse

	answer *Answer // the part as the cohort is sent it, if the part woke the cohort
	cohort *Cohort

	batch, entry int // the next message
	over         bool
}

// Next returns the next message, or io.EOF after the last one. Other errors are those of
// electric.MessageReader. The message may be shared and must not be changed. If the part
// reaches the end of the log, its last message is up-to-date.
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
	return &electric.Message{Raw: UpToDateMessage(p.LastSeen), Operation: electric.Control, Control: electric.ControlUpToDate}, nil
}

// isBefore reports whether a message is at or before a position.
func isBefore(m *electric.Message, at electric.Offset) bool {
	return m.Operation != electric.Control && m.Offset().Compare(at) <= 0
}

// Empty reports whether the part is in memory and has no messages.
func (p *Part) Empty() bool { return p.response == nil && len(p.batches) == 0 }

// InMemory reports whether the part comes from the window and not from Electric.
func (p *Part) InMemory() bool { return p.response == nil }

// Size returns the size of a part in memory, in bytes.
func (p *Part) Size() (n int) {
	for _, b := range p.batches {
		n += b.size
	}
	return n
}

// Woken reports whether the part has woken its whole cohort, so that they share the
// answer.
func (p *Part) Woken() bool { return p.answer != nil }

// TellsOf reports whether the part may have messages of a transaction before newest.
func (p *Part) TellsOf(newest electric.TxID) bool {
	return slices.ContainsFunc(p.batches, func(b *batch) bool { return b.hasOldest && b.oldest.Before(newest) })
}

// Close ends the request at Electric, if there is one.
func (p *Part) Close() error {
	if p.response == nil {
		return nil
	}
	return p.response.Close()
}

// UpToDateMessage returns the control message at the end of a log, with lsn as its
// global_last_seen_lsn (recordings 01 and 04).
func UpToDateMessage(lsn uint64) []byte {
	b := append([]byte(nil), `{"headers":{"control":"up-to-date","global_last_seen_lsn":"`...)
	b = strconv.AppendUint(b, lsn, 10)
	return append(b, `"}}`...)
}
