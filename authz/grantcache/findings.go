package grantcache

import "github.com/shapegate/shapegate/authz"

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
