package grantcache

import "github.com/shapegate/shapegate/authz"

// plan is whom the updates of one event may concern, by permission. It is made of the
// updates and of what permissions rest on alone: of no entry.
type plan map[*permission]*impact

// impact is what the updates of one event may have changed of one permission: for
// everybody, and for single persons.
type impact struct {
	everyone scope
	persons  map[authz.ObjectRef]*scope
}

// scope is the answers as a whole, or what they say of some objects.
type scope struct {
	whole   bool
	event   authz.ZedToken // the revision of the event that changed it as a whole
	objects map[string]change
}

// change is what happened to the relationships of one object.
type change struct {
	deleted, written bool
	event            authz.ZedToken // the revision of the last such event; empty: of none
}

// mostObjects is how many objects of one event are asked about one by one; more than
// that, and the answers are asked for as a whole.
const mostObjects = 256

// of returns the impact on a permission.
func (pl plan) of(p *permission) *impact {
	m := pl[p]
	if m == nil {
		m = &impact{persons: make(map[authz.ObjectRef]*scope)}
		pl[p] = m
	}
	return m
}

// add adds one update of a relation that the permission rests on.
func (m *impact) add(p *permission, u *authz.RelationshipUpdate, event authz.ZedToken) {
	// A person has no members: the relationship concerns that person alone.
	ofPerson := u.SubjectRelation == "" && u.Subject.ID != authz.Wildcard && !p.dependencies().Walked[u.Subject.Type]
	ofObject := u.Resource.Type == p.definition
	s := &m.everyone
	if ofPerson {
		if s = m.persons[u.Subject]; s == nil {
			s = &scope{}
			m.persons[u.Subject] = s
		}
	}
	if !ofObject || p.recurses() {
		s.changed(event)
	}
	// Where the permission recurses, a relationship of a person still is of one object,
	// which it may interrupt.
	if ofObject && (ofPerson || !p.recurses()) {
		s.add(u.Resource.ID, change{deleted: u.Deleted, written: !u.Deleted, event: event})
	}
}

// add adds a change of one object.
func (s *scope) add(id string, c change) {
	if s.objects == nil {
		s.objects = make(map[string]change)
	}
	o := s.objects[id]
	s.objects[id] = change{deleted: o.deleted || c.deleted, written: o.written || c.written, event: c.event}
	if len(s.objects) > mostObjects {
		s.changed(c.event)
	}
}

// changed notes that an event may have changed the answers as a whole.
func (s *scope) changed(event authz.ZedToken) { s.whole, s.event = true, event }

func (s *scope) isEmpty() bool { return !s.whole && len(s.objects) == 0 }
