package feed

import (
	"slices"
	"sort"

	"github.com/shapegate/shapegate/proxy/electric"
)

// batch is the messages of one answer of Electric. It never changes.
type batch struct {
	number    uint64 // in the feed, from 1
	entries   []*entry
	from, end electric.Offset // its messages are after from, up to end
	upToDate  bool            // end was the end of the log
	lastSeen  uint64          // the LSN up to which Electric had processed the database
	size      int

	alone []*batch // the batch itself, for parts of nothing else

	oldest    electric.TxID // the oldest transaction of its messages
	hasOldest bool
}

// window is the newest part of a log: all messages after start, up to end.
type window struct {
	start, end electric.Offset
	upToDate   bool
	lastSeen   uint64
	batches    []*batch // those with messages
	size       int
	count      uint64 // of all batches, ever
}

// begin empties the window and moves it to a position.
func (w *window) begin(at electric.Offset) {
	*w = window{start: at, end: at, upToDate: true, lastSeen: at.LSN(), count: w.count}
}

func (w *window) add(b *batch) {
	w.count++
	b.number = w.count
	b.alone = []*batch{b}
	w.end, w.upToDate, w.lastSeen = b.end, b.upToDate, max(w.lastSeen, b.lastSeen)
	if len(b.entries) > 0 {
		w.batches = append(w.batches, b)
		w.size += b.size
	}
}

// trim forgets the oldest batches until the size is at most most.
func (w *window) trim(most int) {
	n := 0
	for ; n < len(w.batches) && w.size > most; n++ {
		w.size -= w.batches[n].size
		w.start = w.batches[n].end
	}
	w.batches = slices.Delete(w.batches, 0, n)
}

// has reports whether the window has all messages after a position.
func (w *window) has(after electric.Offset) bool {
	return w.start.Compare(after) <= 0 && after.Compare(w.end) <= 0
}

// after returns the batches with the messages after a position. The first one may begin
// before the position.
func (w *window) after(at electric.Offset) []*batch {
	n := sort.Search(len(w.batches), func(i int) bool { return w.batches[i].end.Compare(at) > 0 })
	return slices.Clone(w.batches[n:])
}
