package authz

import "math/bits"

// MostNear is how many ids Near tries to put in and take out. All their subsets are
// tried, at about a microsecond each.
const MostNear = 10

// NearID is one id of one filter, by its position.
type NearID struct {
	Filter int
	ID     string
}

// Near finds the grants that a fingerprint stands for among those that differ from g in
// some of a few ids: each of them may be in or out. The first MostNear ids are tried. It
// works on the sums that fingerprints are made of, and builds no set but the one it
// finds.
func (g Grants) Near(key FingerprintKey, label string, f Fingerprint, ids []NearID) (Grants, bool) {
	if g.everything {
		return g, g.Fingerprint(key, label) == f
	}
	n := newNearby(key, label, g, ids)
	// Gray code: each step puts one id in or takes one out.
	for step := uint(0); step < 1<<len(n.ids); step++ {
		if step > 0 {
			n.flip(bits.TrailingZeros(step))
		}
		if n.fingerprint() == f {
			return n.grants(), true
		}
	}
	return Grants{}, false
}

// nearby is grants with some ids put in or taken out.
type nearby struct {
	key   FingerprintKey
	label string
	g     Grants
	ids   []NearID
	parts []Fingerprint // of the sets as they are now
	sums  []elementSum
	count []uint64
	in    []bool // by ids
	share []elementSum
}

func newNearby(key FingerprintKey, label string, g Grants, ids []NearID) *nearby {
	n := &nearby{key: key, label: label, g: g, sums: make([]elementSum, len(g.sets)), count: make([]uint64, len(g.sets))}
	seen := make(map[NearID]bool)
	for _, id := range ids {
		if len(n.ids) == MostNear {
			break
		}
		if id.Filter >= len(g.sets) || seen[id] {
			continue
		}
		seen[id] = true
		n.ids = append(n.ids, id)
		n.in = append(n.in, g.Set(id.Filter).Has(id.ID))
		n.share = append(n.share, key.element(id.ID))
	}
	for i, s := range g.sets {
		if s != nil {
			n.sums[i], n.count[i] = s.sum, s.numbers.GetCardinality()
		}
		n.parts = append(n.parts, key.ofSet(n.sums[i], n.count[i]))
	}
	return n
}

func (n *nearby) flip(i int) {
	f := n.ids[i].Filter
	if n.in[i] {
		n.sums[f], n.count[f] = n.sums[f].minus(n.share[i]), n.count[f]-1
	} else {
		n.sums[f], n.count[f] = n.sums[f].plus(n.share[i]), n.count[f]+1
	}
	n.in[i] = !n.in[i]
	n.parts[f] = n.key.ofSet(n.sums[f], n.count[f])
}

func (n *nearby) fingerprint() Fingerprint { return ofSets(n.key, n.label, n.parts) }

// grants builds the sets as they are now.
func (n *nearby) grants() Grants {
	sets := append([]*GrantSet(nil), n.g.sets...)
	for i, id := range n.ids {
		switch s := sets[id.Filter]; {
		case s == nil && n.in[i]:
			sets[id.Filter] = NewGrantSet(NewIDs(n.key), func(yield func(string) bool) { yield(id.ID) })
		case s != nil && n.in[i]:
			sets[id.Filter] = s.With(id.ID)
		case s != nil:
			sets[id.Filter] = s.Without(id.ID)
		}
	}
	return GrantsOf(sets...)
}
