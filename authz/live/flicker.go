package live

import "github.com/shapegate/shapegate/authz"

// flicker finds grants that were taken away and given back, or the other way
// round, before anybody asked in between: the answer looks as before, and yet what
// was written meanwhile was not for its subject.
//
// It remembers which relationships were written or deleted since the answer was
// last seen to change. One that is seen both ways may have flickered; then what
// rests on it counts as lost and gained.
type flicker struct {
	// suspects says of each relationship whether it was deleted. asked holds those
	// that a call under way will have seen.
	suspects, asked map[relationship]bool

	ids map[string]struct{} // flickered objects
	all bool                // or anything
}

// relationship names a relationship.
type relationship struct {
	resource, subject         authz.ObjectRef
	relation, subjectRelation string
}

// mostSuspects bounds what is remembered for one holding. With more, the oldest
// are forgotten, all at once.
const mostSuspects = 256

// note takes in an update that concerns the holding: as a whole, or one object.
func (f *flicker) note(u *authz.RelationshipUpdate, one bool) {
	r := relationship{u.Resource, u.Subject, u.Relation, u.SubjectRelation}
	deleted, ok := f.suspects[r]
	if !ok {
		deleted, ok = f.asked[r]
	}
	switch {
	case !ok || deleted == u.Deleted:
	case one:
		if f.ids == nil {
			f.ids = make(map[string]struct{})
		}
		f.ids[u.Resource.ID] = struct{}{}
	default:
		f.all = true
	}
	if f.suspects == nil || len(f.suspects) >= mostSuspects {
		f.suspects = make(map[relationship]bool)
	}
	f.suspects[r] = u.Deleted
}

// begin notes that a call begins, which sees whatever was noted so far.
func (f *flicker) begin() {
	for r, deleted := range f.suspects {
		if f.asked == nil {
			f.asked = make(map[relationship]bool)
		}
		f.asked[r] = deleted
	}
	f.suspects = nil
	if len(f.asked) > mostSuspects {
		f.asked = nil
	}
}

// seen notes that the call saw a change: what happened is known.
func (f *flicker) seen() { f.asked = nil }

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
