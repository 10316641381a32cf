package grantcache

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// refresher asks SpiceDB for entries, with a bounded number of calls under way. Its lock
// is the innermost: it is held while no other is taken.
type refresher struct {
	c        *Cache
	mu       sync.Mutex
	running  int
	queue    queue
	rechecks rechecks

	// While SpiceDB is away, one call at a time finds out when it is back, and all
	// others fail at once.
	away    error
	retryAt time.Time
	answer  time.Time // when a call was last answered
}

// queue is what waits to be asked.
type queue struct {
	urgent  []*entry // lookups with a reader blocked on them
	lookups []*entry
	checks  []*entry // many in one call
	jobs    []*job
}

func (q *queue) isEmpty() bool { return len(q.urgent)+len(q.lookups)+len(q.checks)+len(q.jobs) == 0 }

const (
	// awayFor is how long a SpiceDB that did not answer is not asked again.
	awayFor = 500 * time.Millisecond

	// debounce is how long a change that concerns many entries waits for more changes.
	debounce = 50 * time.Millisecond

	// longestPause bounds the pause between two lookups of one entry.
	longestPause = 2 * time.Second

	// mostChecked is how many entries are checked in one call.
	mostChecked = 250
)

// refresh has a touched entry asked for soon: at once, or after a pause as long as its
// last lookup took, so that a burst of writes costs a part of SpiceDB's time and not all
// of it. The caller holds the shard's lock, and dispatches.
func (r *refresher) refresh(e *entry) {
	now := time.Now()
	if e.asksWhole() && !e.calls.urgent && now.Before(e.calls.notBefore) || e.isRefused(now) {
		r.flushLater(e.permission)
		return
	}
	r.enqueue(e)
}

// asksWhole reports whether the entry's next call is for everything.
func (e *entry) asksWhole() bool {
	return !e.value.valid || e.heard.whole > e.calls.covered || e.calls.again.whole
}

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

// enqueue has an entry asked for, unless it is about to be. The caller holds the shard's
// lock, and dispatches.
func (r *refresher) enqueue(e *entry) {
	if e.calls.queued || e.calls.running || !e.needsCall() || e.isRefused(time.Now()) {
		return
	}
	e.calls.queued = true
	q := &r.queue
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !e.isLookup() || !e.asksWhole():
		q.checks = append(q.checks, e)
	case e.calls.urgent:
		q.urgent = append(q.urgent, e)
	default:
		q.lookups = append(q.lookups, e)
	}
}

// promote has a lookup that is queued come before those that no reader is blocked on. Its
// old place stays in the queue, and finds nothing to ask.
func (r *refresher) promote(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue.urgent = append(r.queue.urgent, e)
}

func (r *refresher) addJob(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// The same entries wait for the newer job now.
	r.queue.jobs = slices.DeleteFunc(r.queue.jobs, func(o *job) bool {
		return o.permission == j.permission && o.id == j.id && !o.again
	})
	r.queue.jobs = append(r.queue.jobs, j)
}

// flushLater has the touched entries in use of a permission asked for after the debounce.
func (r *refresher) flushLater(p *permission) {
	if p.flushing.CompareAndSwap(false, true) {
		r.c.tasks.after(debounce, func() { r.flush(p) })
	}
}

func (r *refresher) flush(p *permission) {
	p.flushing.Store(false)
	now, left := time.Now(), false
	r.c.shards.entriesOf(p, func(e *entry) {
		if !e.isDirty() || !e.inUse() {
			return
		}
		if e.asksWhole() && (now.Before(e.calls.notBefore) || e.isRefused(now)) {
			left = true
			return
		}
		r.enqueue(e)
	})
	if left {
		r.flushLater(p)
	}
	r.dispatch()
}

// dispatch starts the calls that may start. The caller holds no lock.
func (r *refresher) dispatch() {
	r.mu.Lock()
	for r.c.tasks.ctx.Err() == nil && r.running < r.c.cfg.Calls && !r.queue.isEmpty() {
		if !r.mayAsk(time.Now()) {
			failed, err := r.queue, r.away
			r.queue = queue{}
			r.mu.Unlock()
			r.c.refresher.failAll(&failed, err)
			return
		}
		call := r.next()
		r.running++
		r.c.tasks.start(func() {
			call()
			r.mu.Lock()
			r.running--
			r.mu.Unlock()
			r.dispatch()
		})
	}
	r.mu.Unlock()
}

// mayAsk reports whether SpiceDB may be asked. While it is away, that is true for one
// call in a while, which finds out whether it is back. The caller holds the lock.
func (r *refresher) mayAsk(now time.Time) bool {
	if r.away == nil {
		return true
	}
	if now.Before(r.retryAt) {
		return false
	}
	r.retryAt = now.Add(awayFor)
	return true
}

// next takes a call out of the queue: checks and jobs, which are short and concern the
// present, before lookups. The caller holds the lock.
func (r *refresher) next() func() {
	q, c := &r.queue, r.c
	if n := min(len(q.checks), mostChecked); n > 0 {
		batch := slices.Clone(q.checks[:n])
		q.checks = slices.Delete(q.checks, 0, n)
		return func() { c.refresher.checkEntriesNow(batch) }
	}
	if len(q.jobs) > 0 {
		j := q.jobs[0]
		q.jobs = slices.Delete(q.jobs, 0, 1)
		return func() { c.refresher.runJob(j) }
	}
	from := &q.urgent
	if len(*from) == 0 {
		from = &q.lookups
	}
	e := (*from)[0]
	(*from)[0] = nil
	*from = (*from)[1:]
	return func() { c.refresher.lookup(e) }
}

// answered notes that SpiceDB answers.
func (r *refresher) answered() { r.note(nil, time.Now()) }

// note keeps what the end of a call says of SpiceDB: that it is away, unless it answered
// another call meanwhile.
func (r *refresher) note(err error, began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch now := time.Now(); {
	case err == nil || authz.KindOf(err) == authz.Unanswerable:
		r.away, r.answer = nil, now
	case authz.KindOf(err) == authz.Unavailable && !r.answer.After(began):
		r.away, r.retryAt = err, now.Add(awayFor)
	}
}

// failAll fails what waits for a SpiceDB that is away: the readers get the error now, and not
// after all those before them.
func (r *refresher) failAll(q *queue, err error) {
	number := r.c.touches.Load()
	for _, e := range slices.Concat(q.urgent, q.lookups, q.checks) {
		e.shard.mu.Lock()
		e.calls.queued = false
		if !e.calls.again.isEmpty() {
			r.rechecks.add(r.c, e, e.calls.again)
			e.calls.again = ask{}
		}
		r.failed(e, number, err)
		e.shard.mu.Unlock()
	}
	for _, j := range q.jobs {
		r.settleJob(j, nil, number, time.Now(), "")
	}
	r.dispatch()
}

// want draws a ticket for an entry's answer: as it is cached, or is about to be, if that
// may be used; if not, or if anew, for one that is asked for from now on. A nil entry has
// none. The caller dispatches.
func (r *refresher) want(e *entry, anew bool) uint64 {
	if e == nil {
		return 0
	}
	now := time.Now()
	isCurrent := r.c.freshness.isCurrent(now)
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	switch {
	case e.isRefused(now):
		return 0
	case anew, !isCurrent, e.value.failure != nil, r.c.isExpired(e, now) && !e.isDirty(),
		e.isDirty() && e.calls.failed >= e.ticket(): // a call that failed is made again
		e.heard.whole = r.c.touches.Add(1)
	}
	if e.isDirty() {
		isNew := !e.calls.urgent
		e.calls.urgent = true
		if e.calls.queued && isNew && e.isLookup() && e.asksWhole() {
			r.promote(e)
		}
		r.enqueue(e)
	}
	return e.ticket()
}

// await waits until an entry's answer is good for a ticket. Errors are those of the call
// that should have brought it.
func (r *refresher) await(ctx context.Context, e *entry, ticket uint64) error {
	if e == nil {
		return nil
	}
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	for !e.isSettled(ticket) {
		if e.calls.failed >= ticket && e.calls.failed > 0 {
			return e.calls.err
		}
		done := e.calls.done
		e.shard.mu.Unlock()
		var err error
		select {
		case <-done:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-r.c.tasks.ctx.Done():
			err = authz.E(authz.Unavailable, "decide", errClosed)
		}
		e.shard.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}
