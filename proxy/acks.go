package proxy

import (
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// told is what the client of an event stream surely has, once it comes back with an
// LSN that it can only know from the end of a batch: whatever was sent before that.
type told struct {
	lsn         uint64
	mark        authz.Mark
	fingerprint authz.Fingerprint
	base        electric.Offset // what was read up to then
}

// acks remembers what was told in the streams of a handle, in order: the first batch
// that ended after each change. The handle itself cannot say, since it goes out
// before anything is sent; without this, every stream would tell all that changed
// since the handle was made, again and again.
type acks struct{ *remembered[[]told] }

func newAcks(now func() time.Time) acks { return acks{newRemembered[[]told](ackTime, now)} }

// ackTime is how long a client may take to come back from a stream, that long or
// longer being told everything again.
const ackTime = 5 * time.Minute

// mostTold bounds how many changes are remembered of one handle's streams.
const mostTold = 16

// put notes what was told by the end of a batch.
func (a acks) put(h handle, t told) {
	a.update(h, func(all *[]told, _ bool) bool {
		if n := len(*all); n > 0 && (*all)[n-1].mark == t.mark {
			return true
		}
		if len(*all) == mostTold {
			*all = (*all)[1:]
		}
		*all = append(*all, t)
		return true
	})
}

// acknowledged returns what a client that comes back with an offset surely has.
func (a acks) acknowledged(h handle, offset electric.Offset) (last told, ok bool) {
	all, _ := a.of(h)
	for _, t := range slices.Backward(all) {
		if offset.LSN() >= t.lsn {
			return t, true
		}
	}
	return last, false
}

// advance returns the handle that says what the client surely has: the one that it
// came with, or one that counts in what it was told in a stream.
func (rd *reading) advance(h handle) handle {
	t, ok := rd.h.acks.acknowledged(h, rd.came())
	if !ok || t.mark == h.mark {
		return h
	}
	rd.note = 0
	served := authz.Decision{Name: t.fingerprint, Mark: t.mark}
	advanced := rd.h.handleKey.mint(rd.scope(), h.upstream, &served, t.base)
	if x, known := rd.h.extras.of(h); known {
		if x.told == t.mark {
			x.streams = brought{} // it shows that it has all of it
		}
		rd.h.extras.put(advanced, x)
	}
	rd.h.late.put(advanced, surely(rd.h.late.of(h), t.mark))
	return advanced
}
