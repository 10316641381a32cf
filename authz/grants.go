package authz

import "slices"

// Grants is what one subject may see of one shape: every row, or the rows that a list
// of grant sets reaches, one set for each filter of the rule. It is a value that does
// not change. The zero value reaches no row.
//
// A filter is asked for by its position. Grants that reach everything have no sets, and
// Set returns an empty one for them: no caller can ask for a set that is not there.
type Grants struct {
	everything bool
	sets       []*GrantSet
}

// Everything returns the grants of a subject that may see every row.
func Everything() Grants { return Grants{everything: true} }

// GrantsOf returns the grants of a subject that may see the rows which any of the sets
// reaches. sets[i] belongs to the i-th filter of the rule.
func GrantsOf(sets ...*GrantSet) Grants { return Grants{sets: sets} }

// IsEverything reports whether the grants reach every row.
func (g Grants) IsEverything() bool { return g.everything }

// Set returns the set of the filter at a position. It is empty if there is none.
func (g Grants) Set(filter int) *GrantSet {
	if filter >= len(g.sets) {
		return nil
	}
	return g.sets[filter]
}

// IsEmpty reports whether the grants reach no row.
func (g Grants) IsEmpty() bool {
	return !g.everything && !slices.ContainsFunc(g.sets, func(s *GrantSet) bool { return s.Len() > 0 })
}

// And returns what both reach.
func (g Grants) And(h Grants) Grants {
	switch {
	case g.everything:
		return h
	case h.everything:
		return g
	}
	return g.combine(h, (*GrantSet).Intersection)
}

// Or returns what either reaches.
func (g Grants) Or(h Grants) Grants {
	if g.everything || h.everything {
		return Everything()
	}
	return g.combine(h, (*GrantSet).Union)
}

// Minus returns what g reaches and h does not. Everything minus some sets cannot be
// named by sets: it is everything. Callers that need the difference have to look at
// IsEverything first.
func (g Grants) Minus(h Grants) Grants {
	switch {
	case h.everything:
		return Grants{}
	case g.everything:
		return g
	}
	return g.combine(h, (*GrantSet).Difference)
}

// Equal reports whether both reach the same.
func (g Grants) Equal(h Grants) bool {
	if g.everything || h.everything {
		return g.everything == h.everything
	}
	for i := range max(len(g.sets), len(h.sets)) {
		if !g.Set(i).Equal(h.Set(i)) {
			return false
		}
	}
	return true
}

// Size returns how much memory the sets take, in bytes, about.
func (g Grants) Size() (n int) {
	for _, s := range g.sets {
		n += s.Size()
	}
	return n
}

func (g Grants) combine(h Grants, of func(s, t *GrantSet) *GrantSet) Grants {
	sets := make([]*GrantSet, max(len(g.sets), len(h.sets)))
	for i := range sets {
		sets[i] = of(g.Set(i), h.Set(i))
	}
	return Grants{sets: sets}
}

// Fingerprint stands for what the grants reach, and for nothing else. The label says
// what the positions of the sets mean: equal sets under another label have another
// fingerprint. All replicas with the same key compute the same one.
func (g Grants) Fingerprint(key FingerprintKey, label string) Fingerprint {
	if g.everything {
		return CombineFingerprints(key, label, CombineFingerprints(key, "grants/everything"))
	}
	parts := make([]Fingerprint, len(g.sets))
	for i, s := range g.sets {
		if s == nil {
			parts[i] = key.ofSet(elementSum{}, 0)
			continue
		}
		parts[i] = s.Fingerprint()
	}
	return ofSets(key, label, parts)
}

func ofSets(key FingerprintKey, label string, parts []Fingerprint) Fingerprint {
	return CombineFingerprints(key, label, CombineFingerprints(key, "grants/sets", parts...))
}

// Tables returns the tables that the sets were made with.
func (g Grants) Tables() []*IDs {
	var all []*IDs
	for _, s := range g.sets {
		if s != nil && !slices.Contains(all, s.ids) {
			all = append(all, s.ids)
		}
	}
	return all
}
