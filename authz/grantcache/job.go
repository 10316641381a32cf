package grantcache

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// job asks about one object for all entries of a permission at once, by LookupSubjects.
type job struct {
	permission *permission
	id         string
	at         time.Time // of the touch
	entries    []*entry
	again      bool // it was asked a moment ago, and is asked once more to be sure
}

// isAbout reports whether two jobs ask the same.
func (j *job) isAbout(o *job) bool { return j.permission == o.permission && j.id == o.id }

// jobs gives the entries of a job what was found about its object. No lock is held for
// longer than one entry takes.
type jobs struct {
	scheduler *scheduler
	rechecks  *rechecks
	settler   *settler
	outcomes  *outcomes
}

// settle gives each of some entries its answer about an object, from a call that began after
// a touch. Where the findings do not say it, the entry asks for itself. The caller
// dispatches.
func (r *jobs) settle(entries []*entry, id string, f *findings, number uint64, began time.Time, token authz.ZedToken) {
	for _, e := range entries {
		held, known := f.of(e)
		e.shard.mu.Lock()
		switch {
		case len(e.queries) == 0 || !e.isLookup() && e.resource != id: // it was dropped, or is of another object
		case !known:
			r.askAlone(e, id)
		case e.isLookup():
			r.outcomes.finishJob(e, r.settler.object(e, id, held, number, token))
		default:
			r.outcomes.finishJob(e, r.settler.check(e, authz.CheckResult{Held: held}, number, began, token))
		}
		e.shard.mu.Unlock()
	}
}

// split has each entry of a job ask for itself. The caller dispatches.
func (r *jobs) split(j *job) { r.settle(j.entries, j.id, nil, 0, time.Time{}, "") }

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
	r.rechecks.ask(e, ask{whole: !e.isLookup(), objects: map[string]time.Time{id: {}}})
}
