package proxy

import (
	"slices"
	"sync"
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
	at          time.Time
}

// acks remembers by handle what was told in its streams. The handle itself cannot
// say, since it goes out before anything is sent; without this, every stream would
// tell all that changed since the handle was made, again and again.
type acks struct {
	mu   sync.Mutex
	told map[string][]told // by nonce, in order: the first batch that ended after each change
	next time.Time         // when old ones are cleared away
}

// ackTime is how long a client may take to come back from a stream, that long or
// longer being told everything again.
const ackTime = 5 * time.Minute

// mostTold bounds how many changes are remembered of one handle's streams.
const mostTold = 16

// put notes what was told by the end of a batch.
func (a *acks) put(h handle, t told) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.at.After(a.next) {
		for nonce, old := range a.told {
			if t.at.Sub(old[len(old)-1].at) > ackTime {
				delete(a.told, nonce)
			}
		}
		a.next = t.at.Add(ackTime / 4)
	}
	if a.told == nil {
		a.told = make(map[string][]told)
	}
	all := a.told[h.nonce]
	if n := len(all); n > 0 && all[n-1].mark == t.mark {
		all[n-1].at = t.at
		return
	}
	if len(all) == mostTold {
		all = all[1:]
	}
	a.told[h.nonce] = append(all, t)
}

// acknowledged returns what a client that comes back with an offset surely has.
func (a *acks) acknowledged(h handle, offset electric.Offset) (told, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range slices.Backward(a.told[h.nonce]) {
		if offset.LSN() >= t.lsn {
			return t, true
		}
	}
	return told{}, false
}

// advance returns the handle that says what the client surely has: the one that it
// came with, or one that counts in what it was told in a stream.
func (rd *reading) advance(h handle) handle {
	t, ok := rd.h.acks.acknowledged(h, rd.offset)
	if !ok || t.mark == h.mark {
		return h
	}
	served := authz.Decision{Name: t.fingerprint, Mark: t.mark}
	advanced := rd.h.handleKey.mint(rd.scope(), h.upstream, &served, t.base)
	if x, known := rd.h.extras.of(h, rd.h.now()); known {
		if x.told == t.mark {
			x.streams = brought{} // it shows that it has all of it
		}
		rd.h.extras.made(advanced, x)
	}
	rd.h.late.put(advanced, rd.h.late.of(h, rd.h.now()), rd.h.now())
	return advanced
}
