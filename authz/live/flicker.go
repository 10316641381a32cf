package live

import (
	"maps"

	"github.com/shapegate/shapegate/authz"
)

// flicker finds grants that were taken away and given back, or the other way
// round, before anybody asked in between: the answer looks as before, and yet what
// was written meanwhile was not for its subject.
//
// It remembers which relationships were written or deleted since the answer was
// last seen to change. One that is seen both ways may have flickered, and so may an
// object of which one is written after another was deleted: the one may have given
// back what the other took. What rests on it counts as lost and gained.
//
// Until somebody asks, and what was asked has shown to be beyond doubt, any two of one
// object count, and so does what is granted to a subject, or a group that it joins,
// after something was taken away that may have been the same: it may have left another
// group, which had been granted the object. Beyond that, they would count without end:
// much comes and goes that an answer does not rest on.
type flicker struct {
	// suspects says of each relationship whether it was deleted. asked holds those
	// that a call under way will have seen, and fresh those of them that none had
	// seen before.
	suspects, asked, fresh seen

	ids map[string]struct{} // flickered objects
	all bool                // or anything

	unasked bool // something flickered between two calls, neither of which may have seen it
}

// seen is updates, by whether they deleted.
type seen struct {
	relationships map[relationship]bool // the last of each
	objects       map[string]bool       // the last of each object that is asked for alone

	taken bool // something was deleted that is no such object's
}

func (s *seen) add(r relationship, deleted, one bool) {
	if s.relationships == nil {
		s.relationships, s.objects = make(map[relationship]bool), make(map[string]bool)
	}
	s.relationships[r] = deleted
	if one {
		s.objects[r.resource.ID] = deleted
	}
}

// addAll adds others, which are later.
func (s *seen) addAll(others seen) {
	if s.relationships == nil {
		s.relationships, s.objects = make(map[relationship]bool), make(map[string]bool)
	}
	maps.Copy(s.relationships, others.relationships)
	maps.Copy(s.objects, others.objects)
	s.taken = s.taken || others.taken
}

// undone reports whether an update undoes another one of the same relationship, and
// known whether there was one.
func (s *seen) undone(r relationship, deleted bool) (undone, known bool) {
	before, known := s.relationships[r]
	return known && before != deleted, known
}

// relationship names a relationship.
type relationship struct {
	resource, subject         authz.ObjectRef
	relation, subjectRelation string
}

// mostSuspects bounds what is remembered for one holding. With more, the oldest
// are forgotten, all at once.
const mostSuspects = 256

// note takes in an update that concerns something that the subject holds: as a
// whole, or one object of many.
func (f *flicker) note(u *authz.RelationshipUpdate, subject authz.ObjectRef, one bool) {
	r := relationship{u.Resource, u.Subject, u.Relation, u.SubjectRelation}
	own := !one && r.subject == subject && r.subjectRelation == ""
	unasked, known := f.suspects.undone(r, u.Deleted)
	asked, _ := f.asked.undone(r, u.Deleted)
	if one {
		_, touched := f.suspects.objects[r.resource.ID]
		unasked = unasked || touched && !known
		asked = asked || f.asked.objects[r.resource.ID] && !u.Deleted
	} else if !u.Deleted {
		f.replaced(&f.suspects)
		f.replaced(&f.fresh)
	}
	if (one || own) && !u.Deleted {
		unasked, asked = unasked || f.suspects.taken, asked || f.asked.taken
	}
	if unasked || asked {
		f.unasked = f.unasked || unasked || f.fresh.taken // the call may have seen both
		f.flickered(r.resource.ID, one)
	}
	if len(f.suspects.relationships) >= mostSuspects {
		f.suspects = seen{taken: true}
	}
	f.suspects.add(r, u.Deleted, one)
	f.suspects.taken = f.suspects.taken || u.Deleted && !one
}

// replaced has the objects count that were taken away, and may have been given back by
// something that is granted to many.
func (f *flicker) replaced(s *seen) {
	for id, deleted := range s.objects {
		if deleted {
			f.flickered(id, true)
		}
	}
}

func (f *flicker) flickered(id string, one bool) {
	if !one {
		f.all = true
		return
	}
	if f.ids == nil {
		f.ids = make(map[string]struct{})
	}
	f.ids[id] = struct{}{}
}

// begin notes that a call begins, which sees whatever was noted so far.
func (f *flicker) begin() {
	f.asked.addAll(f.suspects)
	f.fresh.addAll(f.suspects)
	f.suspects = seen{}
	if len(f.fresh.relationships) > mostSuspects {
		f.fresh = seen{taken: true}
	}
	if len(f.asked.relationships) > mostSuspects {
		f.asked = seen{}
	}
	f.asked.taken = f.fresh.taken // what the last call had seen is beyond doubt
}

// doubts reports whether a call's answer still grants what was taken away, as far as
// no call had seen that before.
func (f *flicker) doubts(h *holding, set *authz.GrantSet, held bool) bool {
	switch {
	case !h.valid:
		return false
	case !h.isLookup():
		return f.fresh.taken && h.held && held
	case f.fresh.taken:
		return h.set.Intersection(set).Len() > 0
	}
	for id, deleted := range f.fresh.objects {
		if deleted && h.set.Has(id) && set.Has(id) {
			return true
		}
	}
	return false
}

// settled notes that the answer of a call counts.
func (f *flicker) settled() { f.fresh = seen{} }

// distrust has all that an answer grants, and was taken away, count as flickered.
func (f *flicker) distrust() {
	f.unasked = true
	f.all = f.all || f.fresh.taken
	f.replaced(&f.fresh)
}

// seen notes that the call saw a change: what happened is known.
func (f *flicker) seen() { f.asked = seen{} }

// takeUnasked reports whether anything flickered between two calls, and forgets it.
// Of a check, that alone counts: whoever rests on it begins anew, which is too much
// for what a call has most likely seen.
func (f *flicker) takeUnasked() bool {
	unasked := f.unasked
	f.all, f.ids, f.unasked = false, nil, false
	return unasked
}

// take returns what flickered among the ids that are held, and forgets it.
func (f *flicker) take(h *holding) *authz.GrantSet {
	switch {
	case f.all:
		f.all, f.ids = false, nil
		return h.set
	case len(f.ids) > 0:
		b := h.ids.NewBuilder()
		for id := range f.ids {
			if h.set.Has(id) {
				b.Add(id)
			}
		}
		f.ids = nil
		return b.Build()
	}
	return nil
}
