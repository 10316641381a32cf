package feed

import "github.com/shapegate/shapegate/proxy/electric"

// entry is one message of a log, decoded. It never changes.
type entry struct {
	message electric.Message // its bytes belong to the entry
	ids     []ids            // by the feed's columns
}

// ids are the ids in one column of a message: the present one and, if an update changed
// it, the one before.
type ids struct{ now, before id }

// id is one id. It has a number if it was ever granted, and may get one later.
type id struct {
	text   []byte // nil: NULL, or the message does not contain the column
	number uint32
	known  bool
}

// holder is a set of ids, by their numbers.
type holder interface{ HasNumber(n uint32) bool }

// in reports whether a set has one of the ids.
func in[H holder](set H, i *ids) bool {
	return i.now.known && set.HasNumber(i.now.number) || i.before.known && set.HasNumber(i.before.number)
}

// size is the memory of the entry in bytes, about.
func (e *entry) size() int {
	const overhead = 256
	return len(e.message.Raw) + overhead + 96*len(e.ids)
}
