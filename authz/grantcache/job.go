package grantcache

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// job asks about one object for all entries of a permission at once, by LookupSubjects.
type job struct {
	permission *permission
	id         string
	number     uint64 // of the touch
	entries    []*entry
	again      bool // it was asked a moment ago, and is asked once more to be sure
}

// runJob makes one call for each type of subject.
func (r *refresher) runJob(j *job) {
	number, began := r.c.touches.Load(), time.Now()
	byType := make(map[string][]*entry)
	for _, e := range j.entries {
		byType[e.subject.Type] = append(byType[e.subject.Type], e)
	}
	resource := authz.ObjectRef{Type: j.permission.definition, ID: j.id}
	for subjectType, entries := range byType {
		var f findings
		r.c.metrics.subjectLookups.Inc()
		token, err := r.c.cfg.Engine.LookupSubjects(r.c.tasks.ctx, resource, j.permission.name, subjectType, f.add)
		r.note(err, began)
		findings := &f
		switch {
		case err != nil:
			// SpiceDB cannot say it for all at once: each entry asks for itself.
			r.c.failures.reportUnanswerable(j.permission.permissionKey, err)
			findings = nil
		case token == "": // SpiceDB names no revision of an empty answer
			token, _, _ = r.c.cfg.Engine.Head(r.c.tasks.ctx)
		}
		part := &job{permission: j.permission, id: j.id, entries: entries, again: j.again}
		r.settleJob(part, findings, number, began, token)
	}
	if !j.again {
		r.rechecks.addJob(r.c, j, began)
	}
}

// settleJob gives each entry its answer. Where the findings do not say it, the entry asks
// for itself. No lock is held for longer than one entry takes.
func (r *refresher) settleJob(j *job, f *findings, number uint64, began time.Time, token authz.ZedToken) {
	for _, e := range j.entries {
		held, known := f.of(e)
		e.shard.mu.Lock()
		switch {
		case len(e.queries) == 0 || !e.isLookup() && e.resource != j.id:
		case !known:
			r.askAlone(e, j.id)
		case e.isLookup():
			r.settledByJob(e, r.c.settler.object(e, j.id, held, number, token))
		default:
			r.settledByJob(e, r.c.settler.check(e, authz.CheckResult{Held: held}, number, began, token))
		}
		e.shard.mu.Unlock()
	}
}

// settledByJob ends a job's part in an entry. The caller holds the shard's lock.
func (r *refresher) settledByJob(e *entry, changed bool) {
	if !e.isDirty() && !e.calls.running {
		e.heard.since = time.Time{}
	}
	r.ended(e, changed)
}

// askAlone has an entry ask about an object for itself. The caller holds the shard's lock,
// and dispatches.
func (r *refresher) askAlone(e *entry, id string) {
	if t, ok := e.heard.objects[id]; ok {
		t.job = nil
		e.heard.objects[id] = t
		if e.inUse() || e.calls.urgent {
			r.enqueue(e)
		}
		return
	}
	r.askAgain(e, ask{whole: !e.isLookup(), objects: map[string]struct{}{id: {}}})
}

// findings are the subjects that a LookupSubjects found.
type findings struct {
	concrete map[string]bool // by id: whether it is conditional
	wildcard *authz.SubjectFound
}

func (f *findings) add(s authz.SubjectFound) {
	switch {
	case s.ID != authz.Wildcard:
		if f.concrete == nil {
			f.concrete = make(map[string]bool)
		}
		before, ok := f.concrete[s.ID]
		f.concrete[s.ID] = s.Conditional && (before || !ok)
	case f.wildcard == nil:
		f.wildcard = &s
	default: // the wildcard that excludes a subject does not matter
		f.wildcard = &authz.SubjectFound{ID: authz.Wildcard, Conditional: true}
	}
}

// of says whether an entry's subject holds the permission, and whether that is known:
// what is conditional depends on the entry's own caveat context.
func (f *findings) of(e *entry) (held, known bool) {
	if f == nil {
		return false, false
	}
	hasContext := len(e.context) > 0 || len(e.clock) > 0
	conditional, found := f.concrete[e.subject.ID]
	switch {
	case found && !conditional:
		return true, true
	case f.wildcard == nil:
		return false, !found || !hasContext
	case found:
		return false, false
	}
	excludedConditionally, excluded := f.wildcard.Excluded[e.subject.ID]
	switch {
	case excluded && !excludedConditionally:
		return false, true
	case excluded || f.wildcard.Conditional:
		return false, false
	default:
		return true, true
	}
}
