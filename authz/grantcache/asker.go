package grantcache

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// asker makes the calls of the scheduler: it takes what an entry asks, calls SpiceDB without
// a lock, and hands on the answer of each entry. An item that cannot be evaluated, or is not
// answered, spoils no other.
type asker struct {
	client    *client
	touches   *atomic.Uint64
	tasks     *tasks
	failures  *failures
	scheduler *scheduler
	settler   *settler
	outcomes  *outcomes
	jobs      *jobs
	rechecks  *rechecks
}

func (a *asker) call(w work) {
	switch {
	case w.job != nil:
		a.job(w.job)
	case w.lookup != nil:
		a.lookup(w.lookup)
	default:
		a.check(w.checks)
	}
}

// fail fails what waits for a SpiceDB that is away: the readers get the error now, and not
// after all those before them.
func (a *asker) fail(waiting *queue, err error) {
	number := a.touches.Load()
	for _, e := range slices.Concat(waiting.urgent, waiting.lookups, waiting.checks) {
		e.shard.mu.Lock()
		a.outcomes.abandon(e, number, err)
		e.shard.mu.Unlock()
	}
	for _, j := range waiting.jobs {
		a.jobs.split(j)
	}
}

// lookup asks for all that an entry's subject holds.
func (a *asker) lookup(e *entry) {
	e.shard.mu.Lock()
	k := e.begin(a.touches.Load(), time.Now())
	e.shard.mu.Unlock()
	if !k.asks.whole {
		if !k.asks.isEmpty() {
			a.checkObjects([]call{k})
		}
		return
	}
	set, token, err := a.client.lookup(a.tasks.ctx, authz.Lookup{
		Subject: e.subject, ResourceType: e.permission.definition, Permission: e.permission.name,
		Context: contextAt(e.context, e.clock, k.began),
	})
	a.scheduler.note(err, k.began)
	refused := err != nil && authz.KindOf(err) == authz.Unanswerable
	if refused {
		a.failures.reportUnanswerable(e.permission.permissionKey, err)
	}
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	now := time.Now()
	e.calls.notBefore = now.Add(min(now.Sub(k.began), longestPause))
	switch {
	case refused:
		a.outcomes.finish(&k, a.settler.failure(&k, err))
	case err != nil:
		a.outcomes.abort(&k, err)
	default:
		a.outcomes.finish(&k, a.settler.lookup(&k, set, token))
	}
}

// job asks about one object for many entries, with one call for each type of subject. Where
// SpiceDB cannot say it for all at once, each entry asks for itself.
func (a *asker) job(j *job) {
	number, began := a.touches.Load(), time.Now()
	byType := make(map[string][]*entry)
	for _, e := range j.entries {
		byType[e.subject.Type] = append(byType[e.subject.Type], e)
	}
	resource := authz.ObjectRef{Type: j.permission.definition, ID: j.id}
	for subjectType, entries := range byType {
		found, token, err := a.client.subjects(a.tasks.ctx, resource, j.permission.name, subjectType)
		a.scheduler.note(err, began)
		a.failures.reportUnanswerable(j.permission.permissionKey, err)
		a.jobs.settle(entries, j.id, found, number, began, token)
	}
	a.rechecks.addJob(j, began)
}

// check asks for a batch of entries in one call.
func (a *asker) check(batch []*entry) {
	var all []call
	for _, e := range batch {
		e.shard.mu.Lock()
		if e.isLookup() && e.asksWhole() { // it grew meanwhile
			e.calls.queued = false
			a.scheduler.enqueue(e)
		} else if k := e.begin(a.touches.Load(), time.Now()); !k.asks.isEmpty() {
			all = append(all, k)
		}
		e.shard.mu.Unlock()
	}
	if len(all) > 0 {
		a.checkObjects(all)
	}
}

// checkObjects asks single objects of several entries in one call.
func (a *asker) checkObjects(all []call) {
	var checks []authz.Check
	starts := make([]int, len(all)+1)
	for i := range all {
		checks = append(checks, all[i].checks()...)
		starts[i+1] = len(checks)
	}
	results, token, err := a.client.check(a.tasks.ctx, checks)
	a.scheduler.note(err, all[0].began)
	for i := range all {
		k := &all[i]
		k.e.shard.mu.Lock()
		if err != nil {
			a.outcomes.abort(k, err)
		} else {
			a.settle(k, checks[starts[i]:starts[i+1]], results[starts[i]:starts[i+1]], token)
		}
		k.e.shard.mu.Unlock()
	}
}

// settle takes the results of an entry's checks, each for itself. The caller holds the
// shard's lock.
func (a *asker) settle(k *call, checks []authz.Check, results []authz.CheckResult, token authz.ZedToken) {
	e, changed := k.e, false
	var unavailable error
	for i, result := range results {
		if result.Err != nil && authz.KindOf(result.Err) == authz.Unavailable {
			unavailable = result.Err
			continue
		}
		a.failures.reportUnanswerable(e.permission.permissionKey, result.Err)
		if !e.isLookup() {
			changed = a.settler.check(e, result, k.number, k.began, token)
		} else if a.settler.object(e, checks[i].Resource.ID, result.Held, k.number, token) {
			changed = true
		}
	}
	if unavailable == nil {
		a.outcomes.finish(k, changed)
		return
	}
	a.outcomes.abort(k, unavailable)
	if changed {
		e.notify()
	}
}
