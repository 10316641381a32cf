package grantcache

import (
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
)

// space is the budget of what is kept of the present: questions, their grant sets and the
// ids in these.
type space struct {
	tables        *tables
	mostQuestions int64
	mostBytes     int64 // of sets and tables together

	questions atomic.Int64
	sets      atomic.Int64 // bytes
}

// isFull reports whether there is no room for one more question.
func (s *space) isFull() bool {
	return s.questions.Load() >= s.mostQuestions || s.size() > s.mostBytes
}

// fits reports whether a set that is being built may go on to grow its table.
func (s *space) fits(table *authz.IDs) bool {
	return int64(table.Size())+s.sets.Load() <= s.mostBytes
}

// size is what sets and tables take, in bytes, about.
func (s *space) size() int64 { return s.sets.Load() + s.tables.size() }
