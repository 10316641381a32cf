package grantcache

import (
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// job asks about one object for all entries of a permission at once, by LookupSubjects.
type job struct {
	permission *permission
	id         string
	entries    []*entry
	again      bool // it was asked a moment ago, and is asked once more to be sure
}

// isAbout reports whether two jobs ask the same.
func (j *job) isAbout(o *job) bool { return j.permission == o.permission && j.id == o.id }

// jobs makes the calls of jobs, and gives each entry its answer. No lock is held for longer
// than one entry takes.
type jobs struct {
	client    *client
	touches   *atomic.Uint64
	tasks     *tasks
	failures  *failures
	scheduler *scheduler
	settler   *settler
	outcomes  *outcomes
	rechecks  *rechecks
}

// run makes one call for each type of subject.
func (r *jobs) run(j *job) {
	number, began := r.touches.Load(), time.Now()
	byType := make(map[string][]*entry)
	for _, e := range j.entries {
		byType[e.subject.Type] = append(byType[e.subject.Type], e)
	}
	resource := authz.ObjectRef{Type: j.permission.definition, ID: j.id}
	for subjectType, entries := range byType {
		f, token, err := r.client.subjects(r.tasks.ctx, resource, j.permission.name, subjectType)
		r.scheduler.note(err, began)
		// Where SpiceDB cannot say it for all at once, nothing is found: each entry asks for
		// itself.
		r.failures.reportUnanswerable(j.permission.permissionKey, err)
		for _, e := range entries {
			e.shard.mu.Lock()
			r.settle(e, j.id, f, number, began, token)
			e.shard.mu.Unlock()
		}
	}
	r.rechecks.addJob(j, began)
}

// split has each entry of a job ask for itself. The caller dispatches.
func (r *jobs) split(j *job) {
	for _, e := range j.entries {
		e.shard.mu.Lock()
		r.settle(e, j.id, nil, 0, time.Time{}, "")
		e.shard.mu.Unlock()
	}
}

// settle gives an entry its answer about an object. Where the findings do not say it, the
// entry asks for itself. The caller holds the shard's lock.
func (r *jobs) settle(e *entry, id string, f *findings, number uint64, began time.Time, token authz.ZedToken) {
	held, known := f.of(e)
	switch {
	case len(e.queries) == 0 || !e.isLookup() && e.resource != id: // it was dropped, or is of another object
	case !known:
		r.askAlone(e, id)
	case e.isLookup():
		r.outcomes.finishJob(e, r.settler.object(e, id, held, number, token))
	default:
		r.outcomes.finishJob(e, r.settler.check(e, authz.CheckResult{Held: held}, number, began, token))
	}
}

// askAlone has an entry ask about an object for itself. The caller holds the shard's lock,
// and dispatches.
func (r *jobs) askAlone(e *entry, id string) {
	if t, ok := e.heard.objects[id]; ok {
		e.heard.askAgain(id, t.number)
		if e.inUse() || e.calls.urgent {
			r.scheduler.enqueue(e)
		}
		return
	}
	r.rechecks.ask(e, ask{whole: !e.isLookup(), objects: map[string]struct{}{id: {}}})
}
