package grantcache

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// impact is what the updates of one event may have changed of one permission: for
// everybody, and for single persons.
type impact struct {
	everyone scope
	persons  map[authz.ObjectRef]*scope
}

// scope is the answers as a whole, or what they say of some objects.
type scope struct {
	whole   bool
	objects map[string]change
}

// change is what happened to the relationships of one object.
type change struct{ deleted, written bool }

// mostObjects is how many objects of one event are asked about one by one; more than
// that, and the answers are asked for as a whole.
const mostObjects = 256

// takeUpdates touches whatever the relationships of one event may change. When it
// returns, no entry that they may concern is used as it was.
func (w *watcher) takeUpdates(updates []authz.RelationshipUpdate) {
	impacts := make(map[*permission]*impact)
	for i := range updates {
		u := &updates[i]
		w.c.schema.restingOn(u, func(p *permission, isKnown bool) {
			m := impacts[p]
			if m == nil {
				m = &impact{persons: make(map[authz.ObjectRef]*scope)}
				impacts[p] = m
			}
			if isKnown {
				m.add(p, u)
			} else {
				m.everyone.whole = true
			}
		})
	}
	now := time.Now()
	for p, m := range impacts {
		p.touched.Store(now.UnixNano())
		w.touchPersons(p, m)
		w.touchEveryone(p, &m.everyone)
	}
	w.c.scheduler.dispatch()
}

// add adds one update of a relation that the permission rests on.
func (m *impact) add(p *permission, u *authz.RelationshipUpdate) {
	deps := p.dependencies()
	// A person has no members: the relationship concerns that person alone.
	ofPerson := u.SubjectRelation == "" && u.Subject.ID != authz.Wildcard && !deps.Walked[u.Subject.Type]
	ofObject := u.Resource.Type == p.definition
	s := &m.everyone
	if ofPerson {
		if s = m.persons[u.Subject]; s == nil {
			s = &scope{}
			m.persons[u.Subject] = s
		}
	}
	if !ofObject || p.recurses() {
		s.whole = true
	}
	// Where the permission recurses, a relationship of a person still is of one object,
	// which it may interrupt.
	if ofObject && (ofPerson || !p.recurses()) {
		if s.objects == nil {
			s.objects = make(map[string]change)
		}
		o := s.objects[u.Resource.ID]
		o.deleted, o.written = o.deleted || u.Deleted, o.written || !u.Deleted
		s.objects[u.Resource.ID] = o
		s.whole = s.whole || len(s.objects) > mostObjects
	}
}

// touchPersons touches the entries of single persons, and asks for those in use at once.
func (w *watcher) touchPersons(p *permission, m *impact) {
	number := w.c.touches.Add(1)
	for person, scope := range m.persons {
		s := w.c.shards.of(person)
		s.mu.Lock()
		for e := range s.bySubject[person] {
			if e.permission == p && w.touch(e, scope, number, nil) && e.inUse() {
				w.c.debouncer.refresh(e)
			}
		}
		s.mu.Unlock()
	}
}

// fewEntries is how many entries of a permission are checked one by one where one object
// may have changed for all of them. Of more, one LookupSubjects asks.
const fewEntries = 8

// touchEveryone touches all entries of a permission.
func (w *watcher) touchEveryone(p *permission, scope *scope) {
	if !scope.whole && len(scope.objects) == 0 {
		return
	}
	var jobs map[string]*job
	number := w.c.touches.Add(1)
	if !scope.whole && p.entries.Load() > fewEntries {
		jobs = make(map[string]*job, len(scope.objects))
		for id := range scope.objects {
			jobs[id] = &job{permission: p, id: id}
		}
	}
	var concerned []*entry
	w.c.shards.entriesOf(p, func(e *entry) {
		if !w.touch(e, scope, number, jobs) {
			return
		}
		switch {
		case jobs != nil:
			concerned = append(concerned, e)
		case !scope.whole && e.inUse():
			w.c.debouncer.refresh(e)
		}
	})
	if scope.whole {
		w.c.debouncer.flushLater(p)
	}
	for _, j := range jobs {
		j.entries = concerned
		if len(concerned) <= fewEntries {
			w.c.jobs.split(j)
			continue
		}
		w.c.scheduler.addJobs(j)
	}
}

// touch notes what may have changed of an entry, and reports whether anything has. The
// caller holds the shard's lock.
func (w *watcher) touch(e *entry, s *scope, number uint64, jobs map[string]*job) bool {
	now := time.Now()
	touched := s.whole
	isOutdated := e.heard.isDirty() // the set may lack what was gained since
	if s.whole {
		e.heard.touchWhole(number, now)
	}
	for id, change := range s.objects {
		if !e.isLookup() {
			if id == e.resource {
				e.past.noteCheck(change, e.value.held, now, 2*w.c.cfg.MaxStaleness)
				e.heard.touchWhole(number, now)
				touched = true
			}
			continue
		}
		interrupted := change.deleted && (e.value.set.Has(id) || isOutdated)
		if interrupted {
			w.c.losses.interrupt(e, id, now)
		}
		e.heard.touchObject(id, touch{number: number, at: now, interrupted: interrupted, job: jobs[id]})
		touched = true
	}
	if e.heard.foldObjects(number, now) {
		w.c.debouncer.flushLater(e.permission)
	}
	return touched
}

// touchAll touches every entry as a whole. Those in use are asked for soon.
func (w *watcher) touchAll() {
	number, now := w.c.touches.Add(1), time.Now()
	w.c.schema.mu.RLock()
	permissions := make([]*permission, 0, len(w.c.schema.permissions))
	for _, p := range w.c.schema.permissions {
		p.touched.Store(now.UnixNano())
		permissions = append(permissions, p)
	}
	w.c.schema.mu.RUnlock()
	w.c.shards.each(func(s *shard) {
		now := time.Now()
		for _, e := range s.entries {
			e.heard.touchWhole(number, now)
		}
	})
	for _, p := range permissions {
		w.c.debouncer.flushLater(p)
	}
}
