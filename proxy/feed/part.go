package feed

import (
	"io"
	"slices"
	"strconv"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/rush"
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

	messages messages              // from the window, or
	response *electric.LogResponse // from Electric

	answer *Answer // the part as the cohort is sent it, if the part woke the cohort
	cohort *Cohort
	over   bool // up-to-date was returned

	rush *rush.Rush // of the part's reader, until it is answered
}

// Next returns the next message, or io.EOF after the last one. Other errors are those of
// electric.MessageReader. The message may be shared and must not be changed. If the part
// reaches the end of the log, its last message is up-to-date.
func (p *Part) Next() (*electric.Message, error) {
	if p.response != nil {
		return p.response.Next()
	}
	if m := p.messages.next(); m != nil {
		return m, nil
	}
	if p.over || !p.UpToDate {
		return nil, io.EOF
	}
	p.over = true
	return &electric.Message{Raw: UpToDateMessage(p.LastSeen), Operation: electric.Control, Control: electric.ControlUpToDate}, nil
}

// Empty reports whether the part is in memory and has no messages.
func (p *Part) Empty() bool { return p.response == nil && len(p.messages.batches) == 0 }

// InMemory reports whether the part comes from the window and not from Electric.
func (p *Part) InMemory() bool { return p.response == nil }

// Size returns the size of a part in memory, in bytes.
func (p *Part) Size() (n int) {
	for _, b := range p.messages.batches {
		n += b.size
	}
	return n
}

// Woken reports whether the part has woken its whole cohort, so that they share the
// answer.
func (p *Part) Woken() bool { return p.answer != nil }

// TellsOf reports whether the part may have messages of a transaction before newest.
func (p *Part) TellsOf(newest electric.TxID) bool {
	return slices.ContainsFunc(p.messages.batches, func(b *batch) bool { return b.tellsOf(newest) })
}

// skip leaves out the messages up to a position, if the part does not begin after it.
func (p *Part) skip(at electric.Offset) {
	if at.Compare(p.messages.after) > 0 {
		p.messages.after = at
	}
}

// span returns which batches a part in memory has. It returns false if there are none, or
// if the part begins within the first one.
func (p *Part) span() (_ span, whole bool) {
	all := p.messages.batches
	if len(all) == 0 || all[0].from.Compare(p.messages.after) < 0 {
		return span{}, false
	}
	return span{all[0].number, all[len(all)-1].number, p.UpToDate}, true
}

// Close notes that the reader is answered, and ends the request at Electric, if there is one.
func (p *Part) Close() error {
	p.rush.Done()
	p.rush = nil
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
