package authz

import (
	"iter"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// GrantSet is the set of object ids that one subject holds for one filter. It
// does not change, and may be shared by any number of goroutines.
//
// A nil *GrantSet is an empty set: what was never looked up grants nothing.
type GrantSet struct {
	ids     *IDs
	numbers *roaring.Bitmap // never modified
	sum     elementSum      // of the members' elements
}

// NewGrantSet returns the set of the ids of seq, in which ids may come more than
// once.
func NewGrantSet(ids *IDs, seq iter.Seq[string]) *GrantSet {
	b := ids.NewBuilder()
	for id := range seq {
		b.Add(id)
	}
	return b.Build()
}

// GrantSetBuilder collects ids for a GrantSet. It is not safe for concurrent
// use; several builders may share one table.
type GrantSetBuilder struct {
	ids     *IDs
	entries []*idEntry
}

// NewBuilder returns an empty builder.
func (ids *IDs) NewBuilder() *GrantSetBuilder {
	return &GrantSetBuilder{ids: ids}
}

// Add puts an id into the set to be built. Adding it again changes nothing.
func (b *GrantSetBuilder) Add(id string) {
	b.entries = append(b.entries, b.ids.intern(id))
}

// Build returns the set of what was added so far. The builder may go on.
func (b *GrantSetBuilder) Build() *GrantSet {
	byNumber := func(x, y *idEntry) int { return int(int64(x.number) - int64(y.number)) }
	if !slices.IsSortedFunc(b.entries, byNumber) {
		slices.SortFunc(b.entries, byNumber)
	}
	b.entries = slices.Compact(b.entries)

	s := &GrantSet{ids: b.ids, numbers: roaring.New()}
	numbers := make([]uint32, len(b.entries))
	for i, e := range b.entries {
		numbers[i] = e.number
		s.sum = s.sum.plus(e.element)
	}
	s.numbers.AddMany(numbers)
	s.numbers.RunOptimize()
	return s
}

// Has reports whether the set holds id. It does not allocate.
func (s *GrantSet) Has(id string) bool {
	if s == nil {
		return false
	}
	n, ok := s.ids.Lookup(id)
	return ok && s.numbers.Contains(n)
}

// HasBytes is Has for an id that is not a string yet. It does not keep id, and
// does not allocate.
func (s *GrantSet) HasBytes(id []byte) bool {
	if s == nil {
		return false
	}
	n, ok := s.ids.LookupBytes(id)
	return ok && s.numbers.Contains(n)
}

// Len returns the number of ids in the set.
func (s *GrantSet) Len() int {
	if s == nil {
		return 0
	}
	return int(s.numbers.GetCardinality())
}

// Size returns how much memory the set takes, in bytes, about; the ids themselves
// are in the table.
func (s *GrantSet) Size() int {
	const overhead = 128
	if s == nil {
		return 0
	}
	return int(s.numbers.GetSizeInBytes()) + overhead
}

// All returns the ids, each once. Their order is the same for every call on sets
// of one table, and otherwise means nothing.
func (s *GrantSet) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		if s.Len() == 0 {
			return
		}
		entries := s.ids.all()
		for n := range roaring.Values(s.numbers) {
			if !yield(entries[n].id) {
				return
			}
		}
	}
}

// Union returns the ids that are in s, in t or in both.
func (s *GrantSet) Union(t *GrantSet) *GrantSet {
	if s == nil {
		return t
	}
	if t.Len() == 0 {
		return s
	}
	t = t.In(s.ids)
	if s.Len() < t.Len() {
		s, t = t, s
	}
	added := roaring.AndNot(t.numbers, s.numbers)
	if added.IsEmpty() {
		return s
	}
	return &GrantSet{
		ids:     s.ids,
		numbers: roaring.Or(s.numbers, added),
		sum:     s.sum.plus(s.ids.sumOf(added)),
	}
}

// Difference returns the ids that are in s and not in t.
func (s *GrantSet) Difference(t *GrantSet) *GrantSet {
	if s.Len() == 0 || t.Len() == 0 {
		return s
	}
	return s.part(roaring.AndNot(s.numbers, t.In(s.ids).numbers))
}

// Intersection returns the ids that are in both s and t.
func (s *GrantSet) Intersection(t *GrantSet) *GrantSet {
	switch {
	case s.Len() == 0:
		return s
	case t.Len() == 0:
		return s.part(roaring.New())
	}
	return s.part(roaring.And(s.numbers, t.In(s.ids).numbers))
}

// part returns the set with some of its ids.
func (s *GrantSet) part(numbers *roaring.Bitmap) *GrantSet {
	p := &GrantSet{ids: s.ids, numbers: numbers}
	// Sum up what stays or what goes, whichever is less.
	switch stay, all := numbers.GetCardinality(), s.numbers.GetCardinality(); {
	case stay == all:
		return s
	case 2*stay <= all:
		p.sum = s.ids.sumOf(numbers)
	default:
		p.sum = s.sum.minus(s.ids.sumOf(roaring.AndNot(s.numbers, numbers)))
	}
	return p
}

// With returns the set with one more id.
func (s *GrantSet) With(id string) *GrantSet {
	if s.Has(id) {
		return s
	}
	e := s.ids.intern(id)
	numbers := s.numbers.Clone()
	numbers.Add(e.number)
	return &GrantSet{ids: s.ids, numbers: numbers, sum: s.sum.plus(e.element)}
}

// Without returns the set without an id.
func (s *GrantSet) Without(id string) *GrantSet {
	n, ok := s.ids.Lookup(id)
	if !ok || !s.numbers.Contains(n) {
		return s
	}
	numbers := s.numbers.Clone()
	numbers.Remove(n)
	return &GrantSet{ids: s.ids, numbers: numbers, sum: s.sum.minus(s.ids.all()[n].element)}
}

// Equal reports whether both sets hold the same ids.
func (s *GrantSet) Equal(t *GrantSet) bool {
	if s.Len() != t.Len() {
		return false
	}
	if s.Len() == 0 {
		return true
	}
	if s.ids == t.ids {
		return s.numbers.Equals(t.numbers)
	}
	for id := range s.All() {
		if !t.Has(id) {
			return false
		}
	}
	return true
}

// Fingerprint stands for the ids in the set, and for nothing else: not their
// order, not the table, not the process. Under one key, sets have equal
// fingerprints if they are equal, and only then (but for a probability of about
// 2^-128; see Fingerprint). The fingerprint of a nil set is zero, which is no
// other set's.
func (s *GrantSet) Fingerprint() Fingerprint {
	if s == nil {
		return Fingerprint{}
	}
	return s.ids.key.ofSet(s.sum, s.numbers.GetCardinality())
}

// In returns the set with the numbers of another table of the same key.
func (s *GrantSet) In(ids *IDs) *GrantSet {
	if s == nil || s.ids == ids {
		return s
	}
	return NewGrantSet(ids, s.All())
}

func (ids *IDs) sumOf(numbers *roaring.Bitmap) elementSum {
	var sum elementSum
	if numbers.IsEmpty() {
		return sum
	}
	entries := ids.all()
	numbers.Iterate(func(n uint32) bool {
		sum = sum.plus(entries[n].element)
		return true
	})
	return sum
}
