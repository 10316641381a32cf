package grantcache

import (
	"sync"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// freshness proves that the watch has brought everything that was written up to a
// moment.
//
// With the heartbeat definition in the schema, the proof is a heartbeat that came back:
// what was written before it came before it. Nothing else is proof: an event does not say
// how late it is, and silence says nothing.
//
// Without the definition, the proof is that the stream has not broken. A stream that falls
// silent without breaking is not noticed. That is why entries are then looked up again
// every Config.Relookup, which is the bound.
type freshness struct {
	bound time.Duration // on how old the proof may be, with heartbeats

	mu        sync.Mutex
	heartbeat bool
	open      bool                 // the stream, without heartbeats
	proven    time.Time            // the watch has brought what was written before, with heartbeats
	token     authz.ZedToken       // a revision up to which the watch has brought everything,
	tokenAt   time.Time            // and when it was
	pending   map[uint64]time.Time // when the writing of each heartbeat began that is not back
	last      uint64               // number of the last heartbeat
	lost      bool                 // readers were woken because entries may not be used
}

// isCurrent reports whether entries may be used now.
func (f *freshness) isCurrent(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.holds(now)
}

func (f *freshness) holds(now time.Time) bool {
	if !f.heartbeat {
		return f.open
	}
	return now.Sub(f.proven) <= f.bound
}

// known is a moment up to which the watch has brought everything, as far as it is proven,
// and whether entries may be used now. Without heartbeats the watch is taken to be in time.
func (f *freshness) known(now time.Time) (upTo time.Time, isCurrent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	upTo = now
	if f.heartbeat {
		upTo = f.proven
	}
	return upTo, f.holds(now)
}

func (f *freshness) hasHeartbeat() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.heartbeat
}

func (f *freshness) setHeartbeat(has bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heartbeat = has
}

// setOpen notes that the stream began or ended, and returns what it was before.
func (f *freshness) setOpen(open bool) (was bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was, f.open = f.open, open
	return was
}

// justLost reports, once, that entries may not be used any more.
func (f *freshness) justLost(now time.Time) (lost, just bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost = !f.holds(now)
	just = lost && !f.lost
	f.lost = lost
	return lost, just
}

// age is how old the proof is, 0 without heartbeats.
func (f *freshness) age(now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.heartbeat || f.proven.IsZero() {
		return 0
	}
	return now.Sub(f.proven)
}

// begin returns the number of a heartbeat that is about to be written, false without
// the definition.
func (f *freshness) begin(now time.Time) (uint64, bool) {
	const most = 64 // without any coming back, the old ones will not
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.heartbeat {
		return 0, false
	}
	f.last++
	if f.pending == nil || len(f.pending) >= most {
		f.pending = make(map[uint64]time.Time)
	}
	f.pending[f.last] = now
	return f.last, true
}

// returned notes that the watch brought a heartbeat back, in an event that goes up to a
// revision.
func (f *freshness) returned(n uint64, through authz.ZedToken) {
	f.mu.Lock()
	defer f.mu.Unlock()
	began, ok := f.pending[n]
	if !ok {
		return
	}
	for m := range f.pending {
		if m <= n {
			delete(f.pending, m)
		}
	}
	if began.After(f.proven) {
		f.proven = began
		f.token, f.tokenAt = through, began
	}
}

// complete returns a revision up to which the watch has brought everything, if it is from
// after a moment.
func (f *freshness) complete(after time.Time) (authz.ZedToken, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.token, f.token != "" && f.tokenAt.After(after)
}
