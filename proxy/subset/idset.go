package subset

// idSet is what a condition on ids alone stands for: some ids, or all others. So a where
// costs what its values cost, once, and not the number of its conditions for each id.
//
// Its methods may change their operands, and give their maps away.
type idSet struct {
	ids    map[string]struct{}
	others bool // the set is all ids but these
}

func (s idSet) has(id string) bool {
	_, named := s.ids[id]
	return named != s.others
}

func (s idSet) not() idSet { return idSet{s.ids, !s.others} }

// or returns the union. It takes the time of the smaller of the two maps.
func (s idSet) or(t idSet) idSet {
	if len(s.ids) > len(t.ids) {
		s, t = t, s
	}
	switch {
	case !s.others && !t.others: // what either has
		for id := range s.ids {
			t.ids[id] = struct{}{}
		}
		return t
	case s.others && t.others: // all but what neither has
		for id := range s.ids {
			if _, in := t.ids[id]; !in {
				delete(s.ids, id)
			}
		}
		return s
	case t.others: // all but what only t leaves out
		for id := range s.ids {
			delete(t.ids, id)
		}
		return t
	default:
		for id := range s.ids {
			if _, in := t.ids[id]; in {
				delete(s.ids, id)
			}
		}
		return s
	}
}
