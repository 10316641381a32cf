package feed

import "github.com/shapegate/shapegate/proxy/electric"

// batch is the messages of one answer of Electric. It does not change once it is in a
// window.
type batch struct {
	number    uint64 // in the feed, from 1
	entries   []*entry
	from, end electric.Offset // its messages are after from, up to end
	upToDate  bool            // end was the end of the log
	lastSeen  uint64          // the LSN up to which Electric had processed the database
	size      int             // in bytes

	alone []*batch // the batch itself, for parts of nothing else

	oldest    electric.TxID // the oldest transaction of its messages
	hasOldest bool
}

func (b *batch) add(e *entry) {
	if tx, ok := e.message.OldestTxID(); ok && (!b.hasOldest || tx.Before(b.oldest)) {
		b.oldest, b.hasOldest = tx, true
	}
	b.entries = append(b.entries, e)
	b.size += e.size()
}

// tellsOf reports whether the batch may have messages of a transaction before newest.
func (b *batch) tellsOf(newest electric.TxID) bool { return b.hasOldest && b.oldest.Before(newest) }

// span is a sequence of batches of a feed, by the numbers of the first and the last one.
type span struct {
	first, last uint64
	upToDate    bool // the last one was the end of the log
}
