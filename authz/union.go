package authz

import "github.com/RoaringBitmap/roaring/v2"

// IDs returns the table that the set was made with, or nil of a nil set.
func (s *GrantSet) IDs() *IDs {
	if s == nil {
		return nil
	}
	return s.ids
}

// HasNumber reports whether the set holds the id that has a number in the table that
// the set was made with.
func (s *GrantSet) HasNumber(n uint32) bool { return s != nil && s.numbers.Contains(n) }

// Union collects what any of many sets of one table holds. It only grows. The zero
// value is empty. It is not safe for concurrent use.
type Union struct{ numbers *roaring.Bitmap }

// Add adds what a set holds.
func (u *Union) Add(s *GrantSet) {
	if s.Len() == 0 {
		return
	}
	if u.numbers == nil {
		u.numbers = roaring.New()
	}
	u.numbers.Or(s.numbers)
}

// Len returns how many ids the sets hold together.
func (u *Union) Len() int {
	if u.numbers == nil {
		return 0
	}
	return int(u.numbers.GetCardinality())
}

// HasNumber reports whether any of the sets holds the id with a number.
func (u *Union) HasNumber(n uint32) bool { return u.numbers != nil && u.numbers.Contains(n) }
