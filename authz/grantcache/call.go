package grantcache

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// calls is what an entry asks of SpiceDB.
type calls struct {
	queued, running bool
	urgent          bool      // a reader is blocked on it
	again           ask       // to be asked once more, see rechecks
	notBefore       time.Time // of the next lookup, unless a reader is blocked on it

	done   chan struct{} // closed and replaced when a call ends
	failed uint64        // a call that began after this touch failed
	err    error         // of that call
}

// end wakes those who wait for a call.
func (c *calls) end() {
	close(c.done)
	c.done = make(chan struct{})
}

// fail ends a call that began after a touch.
func (c *calls) fail(number uint64, err error) {
	c.failed, c.err = max(c.failed, number), err
	c.end()
}

// errorFor is the error of the call that should have answered a ticket, nil if none failed.
func (c *calls) errorFor(ticket uint64) error {
	if c.failed >= ticket && c.failed > 0 {
		return c.err
	}
	return nil
}

// ask is what a call asks: everything, or some objects, with the time of the touch that each
// is asked for.
type ask struct {
	whole   bool
	objects map[string]time.Time
}

func (a *ask) isEmpty() bool { return !a.whole && len(a.objects) == 0 }

func (a *ask) add(b ask) {
	a.whole = a.whole || b.whole
	for id, at := range b.objects {
		a.addObject(id, at)
	}
}

func (a *ask) addObject(id string, at time.Time) {
	if a.objects == nil {
		a.objects = make(map[string]time.Time)
	}
	if before := a.objects[id]; before.After(at) {
		at = before
	}
	a.objects[id] = at
}

// call is one call to SpiceDB on its way: what it asks for one entry.
type call struct {
	e      *entry
	asks   ask
	taken  ask    // what of it was to be asked once more,
	again  ask    // and what is to be after it, see rechecks
	number uint64 // of the newest touch when it began
	began  time.Time
}

// checks are the questions about single objects that the call asks.
func (k *call) checks() (checks []authz.Check) {
	if !k.e.isLookup() {
		return []authz.Check{k.e.check(k.e.resource, k.began)}
	}
	for id := range k.asks.objects {
		checks = append(checks, k.e.check(id, k.began))
	}
	return checks
}

// begin starts the entry's own call. What it asks is empty where another call has asked
// meanwhile. The caller holds the shard's lock.
func (e *entry) begin(newest uint64, now time.Time) call {
	k := call{e: e, number: newest, began: now}
	e.calls.queued = false
	if len(e.queries) == 0 || e.calls.running {
		return k // it was dropped, or had two places in the queue
	}
	k.taken = e.calls.again
	k.asks.add(k.taken)
	k.asks.whole = e.asksWhole()
	k.again.whole = k.asks.whole && k.began.Sub(e.heard.wholeAt) < recheckAfter
	for id, t := range e.heard.objects {
		if t.job == nil {
			k.asks.addObject(id, t.at)
		}
	}
	for id, at := range k.asks.objects {
		if k.began.Sub(at) < recheckAfter {
			k.again.addObject(id, at)
		}
	}
	if k.asks.whole {
		k.asks.objects = nil
	}
	e.calls.again = ask{}
	if !k.asks.isEmpty() {
		e.calls.running, e.calls.urgent = true, false
	}
	return k
}

// asksWhole reports whether the entry's next call is for everything.
func (e *entry) asksWhole() bool {
	return !e.value.valid || e.heard.isWholeDirty() || e.calls.again.whole
}

// isPaused reports whether the entry was looked up just now, and is to be looked up again.
func (e *entry) isPaused(now time.Time) bool { return e.asksWhole() && now.Before(e.calls.notBefore) }

// needsCall reports whether the entry has something to ask that no job asks.
func (e *entry) needsCall() bool {
	if e.asksWhole() || len(e.calls.again.objects) > 0 {
		return true
	}
	for _, t := range e.heard.objects {
		if t.job == nil {
			return true
		}
	}
	return false
}
