package proxy

import (
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// extras knows what rows a client may have besides those that its handle names: a
// subset or a stream may have brought it rows of later grants, which leave the
// handle as it is. When such a row ends, the client has to be told, though by its
// handle it cannot have it.
type extras struct{ *remembered[extra] }

func newExtras(now func() time.Time) extras { return extras{newRemembered[extra](extraTime, now)} }

// extra is what is known of one handle that was made here. Of any other, it is not
// known what its client may have.
type extra struct {
	subsets, streams brought
	told             authz.Mark      // the last change that a stream told
	seen             *electric.Fence // what the last subset had seen; nil: there was none
}

// brought is rows that came after a place in the log: one that ended before is none
// of them.
type brought struct {
	any   bool
	rows  visibility
	since electric.Offset
	first *electric.Fence // what the first snapshot had seen that brought some; nil: not known

	// Of streams: what they have read, how many of them are read now, and what the last
	// snapshot had seen that one has told. A row that came in after all that is none.
	until electric.Offset
	open  int
	seen  *electric.Fence

	// came are the keys of the rows of which a window knows that. Nil: it knows of none.
	came map[string]bool
}

// isAfter reports whether a message tells of what was before anything was brought.
func (b *brought) isAfter(m *electric.Message) bool {
	return m.Offset().Compare(b.since) <= 0 || b.first != nil && m.SeenBy(b.first)
}

func (b *brought) add(rows visibility, at electric.Offset) {
	if !b.any {
		b.any, b.since, b.rows = true, at, rows
		return
	}
	b.rows = b.rows.or(rows)
}

// extraTime is how long it is known of a handle that is not used.
const extraTime = 10 * time.Minute

// subset notes that a subset brings rows to whoever holds a handle.
func (e extras) subset(h handle, rows visibility, at electric.Offset) {
	e.change(h, func(x *extra) { x.subsets.add(rows, at) })
}

// stream notes that a stream does, with a change that it tells. Seen is what the rows'
// snapshot had seen, if there was one.
func (e extras) stream(h handle, rows visibility, at electric.Offset, told authz.Mark, seen *electric.Fence) {
	e.change(h, func(x *extra) {
		if !x.streams.any {
			x.streams.first = seen
		}
		x.streams.add(rows, at)
		x.told = told
		if seen != nil {
			x.streams.seen = seen
		}
	})
}

// streamBegins notes that a stream is read, and streamEnds how far that one came.
func (e extras) streamBegins(h handle) {
	e.change(h, func(x *extra) { x.streams.open++ })
}

func (e extras) streamEnds(h handle, at electric.Offset) {
	e.change(h, func(x *extra) {
		x.streams.open = max(0, x.streams.open-1)
		if x.streams.until.Compare(at) < 0 {
			x.streams.until = at
		}
	})
}

// snapshot notes what a subset had seen: its client may have whatever was there.
func (e extras) snapshot(h handle, seen electric.Fence) {
	e.change(h, func(x *extra) { x.seen = &seen })
}

func (e extras) change(h handle, do func(*extra)) {
	e.update(h, func(x *extra, known bool) bool {
		if known {
			do(x)
		}
		return known
	})
}

// consider adds to a window what the client of a handle may have besides what it
// names. What a stream brought is no surprise to the stream itself.
func (rd *reading) consider(w *window, h handle, c authz.Change, inStream bool) {
	x, known := rd.h.extras.of(h)
	if !known || rd.isBeyond() && !x.subsets.any && !x.streams.any { // it was another process

		rows := make([]*authz.GrantSet, len(c.Gained))
		for i := range rows {
			rows[i] = c.Gained[i].Union(c.Lost[i])
		}
		w.extra = []brought{{any: true, rows: rd.shape.granted(rows)}}
		return
	}
	if x.subsets.any {
		w.extra = append(w.extra, x.subsets)
	}
	if s := x.streams; s.any && !inStream {
		if s.open == 0 || rd.sse && s.open == 1 { // which is this one
			s.came = make(map[string]bool)
		}
		w.extra = append(w.extra, s)
	}
	w.entered, w.read, w.loaded = make(map[string]bool), rd.offset.LSN(), x.seen
}
