package feed

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// The feeds share one budget of memory, for windows and shared answers. While there is
// room, each feed keeps what it has. Without room, the feeds that the fewest subjects
// read are trimmed first. So the many logs of one subject cannot shrink the log that
// everybody reads.
const (
	// reclaimTo is the part of the budget that stays in use when memory is reclaimed, in
	// tenths. The rest is room, so that not every message needs a trim.
	reclaimTo = 9

	// Every feed may keep an equal share of the budget, divided by floorPart.
	floorPart = 8

	// The shared answers of one feed may take the budget divided by answerPart.
	answerPart = 4
)

// account counts bytes, and adds them to the account above it as well: a window counts
// for its feed, and a feed for the budget of all feeds. It is safe for concurrent use.
type account struct {
	bytes atomic.Int64
	above *account // nil: there is none
}

// add adds bytes. A negative number takes some away.
func (a *account) add(n int) {
	for ; a != nil; a = a.above {
		a.bytes.Add(int64(n))
	}
}

func (a *account) size() int { return int(a.bytes.Load()) }

// reclaim frees memory if the feeds use more than their budget. The caller must hold no
// lock.
func (f *Feeds) reclaim() {
	if f.memory.size() <= f.cfg.Memory {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	type user struct {
		tail           *tail
		subjects, size int
	}
	users := make([]user, 0, len(f.feeds))
	for _, feed := range f.feeds {
		users = append(users, user{feed.tail, feed.readership.subjects(), feed.tail.memory.size()})
	}
	slices.SortFunc(users, func(a, b user) int {
		return cmp.Or(cmp.Compare(a.subjects, b.subjects), cmp.Compare(b.size, a.size))
	})
	floor := f.cfg.Memory / floorPart / max(1, len(users))
	excess := f.memory.size() - f.cfg.Memory/10*reclaimTo
	for _, u := range users {
		if excess <= 0 {
			return
		}
		excess -= u.tail.give(excess, floor)
	}
}
