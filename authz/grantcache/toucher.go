package grantcache

import (
	"sync/atomic"
	"time"
)

// toucher notes in entries what may have changed of their answers, and has those in use
// asked for again. When it returns, no entry that is concerned is used as it was.
type toucher struct {
	shards    *shards
	touches   *atomic.Uint64
	losses    *losses
	soon      time.Duration // between a deletion and a write that interrupt a check, see past
	debouncer *debouncer
	scheduler *scheduler
	jobs      *jobs
}

// fewEntries is how many entries of a permission are checked one by one where one object
// may have changed for all of them. Of more, one LookupSubjects asks.
const fewEntries = 8

// take touches the entries that a plan names.
func (t *toucher) take(plan plan) {
	now := time.Now()
	for p, m := range plan {
		p.touched.Store(now.UnixNano())
		t.persons(p, m)
		if !m.everyone.isEmpty() {
			t.everyone(p, &m.everyone)
		}
	}
	t.scheduler.dispatch()
}

// persons touches the entries of single persons, and asks for those in use at once.
func (t *toucher) persons(p *permission, m *impact) {
	for person, scope := range m.persons {
		s := t.shards.of(person)
		s.mu.Lock()
		for e := range s.bySubject[person] {
			if e.permission == p && t.touch(e, scope, nil) && e.inUse() {
				t.debouncer.refresh(e)
			}
		}
		s.mu.Unlock()
	}
}

// everyone touches all entries of a permission.
func (t *toucher) everyone(p *permission, scope *scope) {
	var jobs map[string]*job
	if !scope.whole && p.entries.Load() > fewEntries {
		jobs = make(map[string]*job, len(scope.objects))
		for id := range scope.objects {
			jobs[id] = &job{permission: p, id: id, at: time.Now()}
		}
	}
	var concerned []*entry
	t.shards.entriesOf(p, func(e *entry) {
		switch {
		case !t.touch(e, scope, jobs):
		case jobs != nil:
			concerned = append(concerned, e)
		case !scope.whole && e.inUse():
			t.debouncer.refresh(e)
		}
	})
	if scope.whole {
		t.debouncer.flushLater(p)
	}
	for _, j := range jobs {
		if j.entries = concerned; len(concerned) <= fewEntries {
			t.jobs.split(j)
		} else {
			t.scheduler.addJobs(j)
		}
	}
}

// gone touches an entry about objects that SpiceDB has just said are not held any more. The
// watch is about to say so too; but the objects may be given back before it does, and what
// was not sent meanwhile has to be brought then. The caller holds the shard's lock, and
// dispatches.
func (t *toucher) gone(e *entry, ids []string) {
	var gone scope
	for _, id := range ids {
		gone.add(id, change{deleted: true})
	}
	if t.touch(e, &gone, nil) && e.inUse() {
		t.debouncer.refresh(e)
	}
}

// touch notes what may have changed of an entry, and reports whether anything has. The
// caller holds the shard's lock: a call for the entry that has begun is from before the
// touch, since it did not know of it, and so is its number.
func (t *toucher) touch(e *entry, s *scope, jobs map[string]*job) bool {
	number, now := t.touches.Add(1), time.Now()
	touched := s.whole
	isOutdated := e.heard.isDirty() // the set may lack what was gained since
	if s.whole {
		e.heard.touchWhole(number, now, s.event)
	}
	for id, change := range s.objects {
		if !e.isLookup() {
			if id == e.resource {
				e.past.noteCheck(change, nameLoss(change.event, e, ""), e.value.held, now, t.soon)
				e.heard.touchWhole(number, now, change.event)
				touched = true
			}
			continue
		}
		one := touch{number: number, at: now, job: jobs[id]}
		if one.interrupted = change.deleted && (e.value.set.Has(id) || isOutdated || e.past.hasLost(id)); one.interrupted {
			one.loss = nameLoss(change.event, e, id)
			t.losses.interrupt(e, id, one.loss, now)
		}
		e.heard.touchObject(id, one)
		touched = true
	}
	if e.heard.foldObjects(number, now) {
		t.debouncer.flushLater(e.permission)
	}
	return touched
}

// all touches every entry as a whole. Those in use are asked for soon. permissions are those
// that were known a moment ago.
func (t *toucher) all(permissions []*permission) {
	now := time.Now()
	for _, p := range permissions {
		p.touched.Store(now.UnixNano())
	}
	t.shards.each(func(s *shard) {
		number, now := t.touches.Add(1), time.Now()
		for _, e := range s.entries {
			e.heard.touchWhole(number, now, "")
			t.debouncer.flushLater(e.permission) // which may be a newer one
		}
	})
}
