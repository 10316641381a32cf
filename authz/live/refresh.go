package live

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
)

var errClosed = errors.New("the keeper is closed")

// ticket is a number that was drawn from a holding, see holding.
type ticket uint64

// queue is the work that waits for SpiceDB, and how much is under way. The
// keeper's lock guards it.
type queue struct {
	lookups []*holding // to be looked up, one call each
	checks  []*holding // to be checked, many in one call
	calls   int        // under way

	// While SpiceDB is away, one call at a time finds out when it is back, and all
	// others fail at once.
	away    error
	retryAt time.Time
}

// awayFor is how long nobody asks a SpiceDB that did not answer, after which one
// call finds out.
const awayFor = 500 * time.Millisecond

// want draws a ticket: for the value as it is kept, or is about to be, if that may
// be used; for one that is asked for from now on, if not, or if anew. A nil holding
// has none.
func (k *Keeper) want(h *holding, anew bool) ticket {
	if h == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	pending := h.covered < h.wanted && h.failed < h.wanted
	if anew || !k.currency.holds(now) || (!h.valid || k.expired(h, now)) && !pending {
		h.wanted++
		h.whole = true
	}
	if h.covered < h.wanted {
		if h.failed == h.wanted {
			h.wanted++ // what failed is asked for again
		}
		h.urgent = true
		k.enqueue(h)
	}
	return ticket(h.wanted)
}

// await waits until a ticket's value is there. Errors are those of the call that
// should have brought it.
func (k *Keeper) await(ctx context.Context, h *holding, t ticket) error {
	if h == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for h.covered < uint64(t) {
		if h.failed >= uint64(t) {
			return h.err
		}
		if k.closed {
			return authz.E(authz.Unavailable, "decide", errClosed)
		}
		done := h.done
		k.mu.Unlock()
		var err error
		select {
		case <-done:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-k.ctx.Done():
		}
		k.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// enqueue has a holding asked for, unless it is already going to be. The caller
// holds the lock.
func (k *Keeper) enqueue(h *holding) {
	if h.queued || h.running || k.closed {
		return
	}
	h.queued = true
	if h.isLookup() && (h.whole || !h.valid) {
		k.queue.lookups = append(k.queue.lookups, h)
	} else {
		k.queue.checks = append(k.queue.checks, h)
	}
	k.dispatch()
}

// goLocked runs do in a goroutine that Close waits for. The caller holds the lock.
func (k *Keeper) goLocked(do func()) {
	k.tasks.Add(1)
	go func() {
		defer k.tasks.Done()
		do()
	}()
}

// dispatch starts the calls that may start. The caller holds the lock.
func (k *Keeper) dispatch() {
	for !k.closed && k.queue.calls < k.cfg.Calls && k.queue.waiting() {
		if !k.queue.mayAsk(time.Now()) {
			k.failQueued()
			return
		}
		if b := k.nextBatch(); len(b) > 0 {
			k.start(func() { k.checkBatch(b) })
			continue
		}
		if len(k.queue.lookups) > 0 {
			a := k.begin(k.queue.lookups[0])
			k.queue.lookups = k.queue.lookups[1:]
			k.start(func() { k.lookup(a) })
		}
	}
}

func (q *queue) waiting() bool { return len(q.checks)+len(q.lookups) > 0 }

// mayAsk reports whether SpiceDB may be asked. While it is away, that is true for
// one call in a while, which finds out whether it is back.
func (q *queue) mayAsk(now time.Time) bool {
	if q.away == nil {
		return true
	}
	if now.Before(q.retryAt) {
		return false
	}
	q.retryAt = now.Add(awayFor)
	return true
}

// failQueued fails whatever waits for a SpiceDB that is away: whoever asked is
// told now, and not after all those before it. The caller holds the lock.
func (k *Keeper) failQueued() {
	all := append(k.queue.checks, k.queue.lookups...)
	k.queue.checks, k.queue.lookups = nil, nil
	for _, h := range all {
		k.finish(h, h.wanted, k.queue.away)
	}
}

// start makes a call in a goroutine of its own. The caller holds the lock.
func (k *Keeper) start(call func()) {
	k.queue.calls++
	k.goLocked(func() {
		call()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.queue.calls--
		k.dispatch()
	})
}

// asking is a call that is about to be made for a holding.
type asking struct {
	h         *holding
	ticket    uint64
	resources []string // of a lookup's holding: only these; nil: everything
	began     time.Time
}

// begin takes a holding out of the queue: what is wanted from now on is not
// answered by this call. The caller holds the lock.
func (k *Keeper) begin(h *holding) asking {
	a := asking{h: h, ticket: h.wanted, began: time.Now()}
	if h.isLookup() && h.valid && !h.whole {
		a.resources = make([]string, 0, len(h.resources))
		for id := range h.resources {
			a.resources = append(a.resources, id)
		}
	}
	h.queued, h.running = false, true
	h.flicker.begin()
	h.whole, h.resources, h.urgent = false, nil, false
	return a
}

// failed puts back what was to be asked. The caller holds the lock.
func (a *asking) failed() {
	h := a.h
	if a.resources == nil {
		h.whole = true
		return
	}
	for _, id := range a.resources {
		h.askOne(id)
	}
}

// mostResources is how many objects of one holding are checked one by one; more
// changes than that, and everything is looked up.
const mostResources = 1000

// ask wants everything anew. The caller holds the lock.
func (h *holding) ask() {
	h.wanted++
	h.whole, h.resources = true, nil
}

// askOne has one object asked for at the next call. The caller holds the lock.
func (h *holding) askOne(id string) {
	if h.whole {
		return
	}
	if h.resources == nil {
		h.resources = make(map[string]struct{})
	}
	h.resources[id] = struct{}{}
	if len(h.resources) > mostResources {
		h.whole, h.resources = true, nil
	}
}

// finish ends a call: it covers the ticket, or failed to. Whoever waits for a
// change is told of a failure too, since the kept value must not be used. The
// caller holds the lock.
func (k *Keeper) finish(h *holding, t uint64, err error) {
	h.running, h.queued = false, false
	if err == nil {
		h.covered = t
		k.queue.away = nil
	} else {
		h.failed, h.err = t, err
		k.tell(h)
	}
	close(h.done)
	h.done = make(chan struct{})
	if h.wanted > t {
		k.refresh(h)
	}
}

// refresh has a change asked for: at once where somebody waits for it or it is
// cheap, or else after a pause as long as the last lookup took, so that a burst of
// writes costs a part of SpiceDB's time and not all of it. The caller holds the
// lock.
func (k *Keeper) refresh(h *holding) {
	pause := time.Until(h.notBefore)
	if pause <= 0 || h.urgent || !h.whole {
		k.enqueue(h)
		return
	}
	if h.queued || h.running || h.paused {
		return
	}
	h.paused = true
	time.AfterFunc(pause, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		h.paused = false
		if h.covered < h.wanted && len(h.lineages) > 0 {
			k.enqueue(h)
		}
	})
}

// note keeps what a failed call says of SpiceDB. The caller holds the lock.
func (q *queue) note(err error) {
	if authz.KindOf(err) == authz.Unavailable {
		q.away, q.retryAt = err, time.Now().Add(awayFor)
	}
}

// longestPause bounds the pause between two lookups of one holding.
const longestPause = 2 * time.Second

// lookup asks for everything that a holding's subject reaches.
func (k *Keeper) lookup(a asking) {
	h := a.h
	b := h.ids.NewBuilder()
	k.metrics.lookups.Inc()
	err := k.engine.LookupResources(k.ctx, h.subject, h.permission.definition, h.permission.name, h.contextAt(a.began), b.Add)
	var set *authz.GrantSet
	if err == nil {
		set = b.Build()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		a.failed()
		k.queue.note(err)
		k.finish(h, a.ticket, err)
		return
	}
	now := time.Now()
	h.notBefore = now.Add(min(now.Sub(a.began), longestPause))
	k.take(answer{asking: a, set: set})
}

// batch is checks that go to SpiceDB in one call.
type batch []asking

// mostChecks is how many checks one call has, about.
const mostChecks = 500

// nextBatch takes checks out of the queue. The caller holds the lock.
func (k *Keeper) nextBatch() batch {
	var b batch
	size, taken := 0, 0
	for _, h := range k.queue.checks {
		if size >= mostChecks {
			break
		}
		taken++
		if h.isLookup() && (h.whole || !h.valid) {
			k.queue.lookups = append(k.queue.lookups, h) // it grew meanwhile
			continue
		}
		a := k.begin(h)
		size += max(1, len(a.resources))
		b = append(b, a)
	}
	k.queue.checks = slices.Delete(k.queue.checks, 0, taken)
	return b
}

// checkBatch asks for the checks of a batch.
func (k *Keeper) checkBatch(b batch) {
	var checks []authz.Check
	for _, a := range b {
		if !a.h.isLookup() {
			checks = append(checks, a.h.check(a.h.resource, a.began))
			continue
		}
		for _, id := range a.resources {
			checks = append(checks, a.h.check(id, a.began))
		}
	}
	k.metrics.checks.Inc()
	held, err := k.engine.CheckPermissions(k.ctx, checks)

	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.queue.note(err)
	}
	for _, a := range b {
		if err != nil {
			a.failed()
			k.finish(a.h, a.ticket, err)
			continue
		}
		if a.h.isLookup() {
			k.take(answer{asking: a, set: a.h.with(a.resources, held[:len(a.resources)])})
			held = held[len(a.resources):]
		} else {
			k.take(answer{asking: a, held: held[0]})
			held = held[1:]
		}
	}
}

// with returns the holding's set after some ids were asked for.
func (h *holding) with(ids []string, held []bool) *authz.GrantSet {
	yes, no := h.ids.NewBuilder(), h.ids.NewBuilder()
	for i, id := range ids {
		switch {
		case held[i]:
			yes.Add(id)
		case h.set.Has(id):
			no.Add(id)
		}
	}
	return h.set.Difference(no.Build()).Union(yes.Build())
}
