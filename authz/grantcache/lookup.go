package grantcache

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// call is one call to SpiceDB on its way: what it asks for one entry.
type call struct {
	e      *entry
	asks   ask
	again  ask    // what of it is to be asked once more, see rechecks
	number uint64 // of the newest touch when it began
	began  time.Time
}

// begin starts an entry's own call. What it asks is empty where another call has asked
// meanwhile. The caller holds the shard's lock.
func (r *refresher) begin(e *entry) call {
	k := call{e: e, number: r.c.touches.Load(), began: time.Now()}
	e.calls.queued = false
	if len(e.queries) == 0 || e.calls.running {
		return k // it was dropped, or had two places in the queue
	}
	k.asks.add(e.calls.again)
	k.asks.whole = e.asksWhole()
	k.again.whole = k.asks.whole && k.began.Sub(e.heard.wholeAt) < recheckAfter
	for id, t := range e.heard.objects {
		if t.job != nil {
			continue
		}
		k.asks.addObject(id)
		if k.began.Sub(t.at) < recheckAfter {
			k.again.addObject(id)
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

// finish ends an entry's own call that was answered. The caller holds the shard's lock.
func (r *refresher) finish(k *call, changed bool) {
	e := k.e
	e.calls.running = false
	e.heard.answered(k, e.isDirty())
	if !k.again.isEmpty() {
		r.rechecks.add(r.c, e, k.again)
	}
	r.ended(e, changed)
}

// ended wakes the readers of an answer. The caller holds the shard's lock.
func (r *refresher) ended(e *entry, changed bool) {
	close(e.calls.done)
	e.calls.done = make(chan struct{})
	if changed {
		e.notify()
	}
	if (e.isDirty() || !e.calls.again.isEmpty()) && (e.inUse() || e.calls.urgent) {
		r.refresh(e)
	}
}

// failed ends a call that was not answered. Readers decide anew, since a touched entry
// must not be used. The caller holds the shard's lock.
func (r *refresher) failed(e *entry, number uint64, err error) {
	e.calls.failed, e.calls.err = max(e.calls.failed, number), err
	close(e.calls.done)
	e.calls.done = make(chan struct{})
	if e.isDirty() {
		e.notify()
	}
}

// abort ends an entry's own call that was not answered. The caller holds the shard's lock.
func (r *refresher) abort(k *call, err error) {
	e := k.e
	e.calls.running = false
	r.failed(e, k.number, err)
	switch {
	case !e.isDirty(): // it was a recheck
		r.rechecks.add(r.c, e, k.asks)
	case e.calls.urgent && e.ticket() > k.number:
		r.enqueue(e) // for a reader that came while the call was under way
	}
}

// lookup asks for all that an entry's subject holds.
func (r *refresher) lookup(e *entry) {
	e.shard.mu.Lock()
	k := r.begin(e)
	e.shard.mu.Unlock()
	if !k.asks.whole {
		if !k.asks.isEmpty() {
			r.checkCalls([]call{k})
		}
		return
	}
	r.c.metrics.lookups.Inc()
	set, token, err := r.lookupSet(r.c.tasks.ctx, authz.Lookup{
		Subject: e.subject, ResourceType: e.permission.definition, Permission: e.permission.name,
		Context: contextAt(e.context, e.clock, k.began),
	})
	r.note(err, k.began)
	refused := err != nil && authz.KindOf(err) == authz.Unanswerable
	if refused {
		r.c.failures.reportUnanswerable(e.permission.permissionKey, err)
	}
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	now := time.Now()
	e.calls.notBefore = now.Add(min(now.Sub(k.began), longestPause))
	switch {
	case refused:
		r.finish(&k, r.c.settler.failure(&k, err))
	case err != nil:
		r.abort(&k, err)
	default:
		r.finish(&k, r.c.settler.lookup(&k, set, token))
	}
}

var errTooLarge = errors.New("a lookup's answer does not fit into the memory for grant sets")

// lookupSet makes one call of LookupResources.
func (r *refresher) lookupSet(ctx context.Context, l authz.Lookup) (*authz.GrantSet, authz.ZedToken, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	const checkEvery = 4096
	table := r.c.tables.of(l.ResourceType)
	b, n := table.NewBuilder(), 0
	token, err := r.c.cfg.Engine.LookupResources(ctx, l, func(id string) {
		if n++; n%checkEvery == 0 && !r.c.space.fits(table) {
			cancel(authz.E(authz.Unavailable, "look up resources", errTooLarge))
			return
		}
		if ctx.Err() == nil {
			b.Add(id)
		}
	})
	if cause := context.Cause(ctx); errors.Is(cause, errTooLarge) {
		r.c.failures.report("memory", slog.LevelError, "a lookup's answer does not fit into the memory for grant sets",
			slog.String("resource_type", l.ResourceType), slog.Int("bytes", r.c.cfg.SetMemory))
		return nil, "", cause
	}
	if err != nil {
		return nil, "", err
	}
	return b.Build(), token, nil
}

// checkEntriesNow asks for a batch of entries in one call.
func (r *refresher) checkEntriesNow(batch []*entry) {
	var all []call
	for _, e := range batch {
		e.shard.mu.Lock()
		if e.isLookup() && e.asksWhole() { // it grew meanwhile
			e.calls.queued = false
			r.enqueue(e)
		} else if k := r.begin(e); !k.asks.isEmpty() {
			all = append(all, k)
		}
		e.shard.mu.Unlock()
	}
	if len(all) > 0 {
		r.checkCalls(all)
	}
}

// checkCalls asks single objects of several entries in one call.
func (r *refresher) checkCalls(all []call) {
	var checks []authz.Check
	var ids []string
	starts := make([]int, len(all)+1)
	for i := range all {
		e, asks := all[i].e, all[i].asks
		if !e.isLookup() {
			asks = ask{objects: map[string]struct{}{e.resource: {}}}
		}
		for id := range asks.objects {
			checks, ids = append(checks, e.check(id, all[i].began)), append(ids, id)
		}
		starts[i+1] = len(ids)
	}
	r.c.metrics.checks.Inc()
	results, token, err := r.c.cfg.Engine.CheckPermissions(r.c.tasks.ctx, checks)
	r.note(err, all[0].began)
	for i := range all {
		k := &all[i]
		k.e.shard.mu.Lock()
		switch {
		case err != nil:
			r.abort(k, err)
		default:
			r.settleResults(k, ids[starts[i]:starts[i+1]], results[starts[i]:starts[i+1]], token)
		}
		k.e.shard.mu.Unlock()
	}
}

// settleResults takes the results of an entry's checks, each for itself. The caller holds
// the shard's lock.
func (r *refresher) settleResults(k *call, ids []string, results []authz.CheckResult, token authz.ZedToken) {
	e, changed := k.e, false
	var unavailable error
	for i, result := range results {
		switch {
		case result.Err != nil && authz.KindOf(result.Err) == authz.Unavailable:
			unavailable = result.Err
			continue
		case result.Err != nil:
			r.c.failures.reportUnanswerable(e.permission.permissionKey, result.Err)
		}
		if !e.isLookup() {
			changed = r.c.settler.check(k.e, result, k.number, k.began, token)
		} else if r.c.settler.object(e, ids[i], result.Held, k.number, token) {
			changed = true
		}
	}
	if unavailable != nil {
		r.abort(k, unavailable)
		if changed {
			e.notify()
		}
		return
	}
	r.finish(k, changed)
}
