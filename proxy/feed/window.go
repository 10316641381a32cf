package feed

import (
	"slices"
	"sort"

	"github.com/shapegate/shapegate/proxy/electric"
)

// window is the newest part of a log: all messages after start, up to end. A window
// without a handle is of no log, and has no place. It has no lock: the tail guards it.
type window struct {
	handle string // Electric's
	schema *electric.Schema

	start, end electric.Offset
	upToDate   bool     // end was the end of the log
	lastSeen   uint64   // the LSN up to which Electric had processed the database
	batches    []*batch // those with messages
	count      uint64   // of all batches, ever
	memory     account  // of the batches
}

// begin empties the window and moves it to a place in a log. The zero Place is in none.
func (w *window) begin(at Place, schema *electric.Schema) {
	w.handle, w.schema = at.Handle, schema
	w.start, w.end, w.upToDate, w.lastSeen = at.Offset, at.Offset, true, at.Offset.LSN()
	w.batches = nil
	w.memory.add(-w.memory.size())
}

// add moves the end of the window to that of a batch. The batch begins at the end.
func (w *window) add(b *batch) {
	w.count++
	b.number = w.count
	b.alone = []*batch{b}
	w.end, w.upToDate, w.lastSeen = b.end, b.upToDate, max(w.lastSeen, b.lastSeen)
	if len(b.entries) > 0 {
		w.batches = append(w.batches, b)
		w.memory.add(b.size)
	}
}

// trim forgets the oldest batches until the window has at most that many bytes.
func (w *window) trim(most int) {
	n := 0
	for ; n < len(w.batches) && w.memory.size() > most; n++ {
		w.memory.add(-w.batches[n].size)
		w.start = w.batches[n].end
	}
	w.batches = slices.Delete(w.batches, 0, n)
}

// part returns the part of some messages up to the end of the window.
func (w *window) part(m messages, away bool) Part {
	return Part{
		End: w.place(), Schema: w.schema, UpToDate: w.upToDate, LastSeen: w.lastSeen, Away: away,
		messages: m,
	}
}

// place returns the end of the window.
func (w *window) place() Place { return Place{Handle: w.handle, Offset: w.end, Known: true} }

// isOf reports whether a place is in the log of the window.
func (w *window) isOf(at Place) bool { return w.handle != "" && at.Handle == w.handle }

// has reports whether the window has all messages after a place.
func (w *window) has(after Place) bool {
	return w.isOf(after) && w.start.Compare(after.Offset) <= 0 && after.Offset.Compare(w.end) <= 0
}

// after returns the messages after a position that the window has.
func (w *window) after(at electric.Offset) messages {
	n := sort.Search(len(w.batches), func(i int) bool { return w.batches[i].end.Compare(at) > 0 })
	return messages{after: at, batches: slices.Clone(w.batches[n:])}
}
