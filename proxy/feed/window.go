package feed

import (
	"slices"
	"sort"

	"github.com/shapegate/shapegate/proxy/electric"
)

// batch is what one answer of Electric held. It does not change.
type batch struct {
	number    uint64 // of the feed's batches
	entries   []*entry
	from, end electric.Offset // after from, up to and with end
	upToDate  bool            // end was the log's end
	lastSeen  uint64          // what Electric said that it has seen of the database
	size      int

	oldest    electric.TxID // of the transactions that it tells of
	hasOldest bool
}

// window is the newest part of a log: what came after start, without a gap.
type window struct {
	start, end electric.Offset
	upToDate   bool
	lastSeen   uint64
	batches    []*batch // those with messages
	size       int
	count      uint64 // of the batches that there ever were
}

// begin makes it the empty window at a place.
func (w *window) begin(at electric.Offset) {
	*w = window{start: at, end: at, upToDate: true, lastSeen: at.LSN(), count: w.count}
}

func (w *window) add(b *batch) {
	w.count++
	b.number = w.count
	w.end, w.upToDate, w.lastSeen = b.end, b.upToDate, max(w.lastSeen, b.lastSeen)
	if len(b.entries) > 0 {
		w.batches = append(w.batches, b)
		w.size += b.size
	}
}

// trim forgets the oldest batches until no more than some bytes are left.
func (w *window) trim(most int) {
	n := 0
	for ; n < len(w.batches) && w.size > most; n++ {
		w.size -= w.batches[n].size
		w.start = w.batches[n].end
	}
	w.batches = slices.Delete(w.batches, 0, n)
}

// has reports whether all that came after a place is known.
func (w *window) has(after electric.Offset) bool {
	return w.start.Compare(after) <= 0 && after.Compare(w.end) <= 0
}

// after returns the batches with what came after a place that the window has. Of the
// first, a part may be from before.
func (w *window) after(at electric.Offset) []*batch {
	n := sort.Search(len(w.batches), func(i int) bool { return w.batches[i].end.Compare(at) > 0 })
	return slices.Clone(w.batches[n:])
}
