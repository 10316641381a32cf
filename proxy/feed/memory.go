package feed

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"time"
)

// The feeds share one budget of memory, for windows and shared answers. As long as it
// lasts, each feed keeps what it has. Then the feeds that the fewest subjects read give
// first: so the many logs of one subject never shrink the log that everybody reads.
const (
	// reclaimTo is how much of the budget is left in use, in tenths, so that a feed does
	// not have to be trimmed for each message.
	reclaimTo = 9

	// floorPart is which part of an equal share of the budget every feed may keep.
	floorPart = 8

	// answerPart is which part of the budget the shared answers of one feed may take.
	answerPart = 4

	// readershipTime is how long a subject counts as a reader after it opened a feed, at
	// least; twice that at most.
	readershipTime = 5 * time.Minute
)

// readership estimates how many subjects read a feed, in little memory and without names:
// each sets a bit. Beyond about a thousand it does not tell them apart.
type readership struct {
	now, before [16]uint64
	turned      time.Time
}

var readershipSeed = maphash.MakeSeed()

func (r *readership) add(subject string) {
	bit := maphash.String(readershipSeed, subject) % (64 * uint64(len(r.now)))
	r.now[bit/64] |= 1 << (bit % 64)
}

// turn forgets those who have not come for a while.
func (r *readership) turn(now time.Time) {
	if now.Sub(r.turned) >= readershipTime {
		r.before, r.now, r.turned = r.now, [16]uint64{}, now
	}
}

func (r *readership) subjects() (n int) {
	for i := range r.now {
		n += bits.OnesCount64(r.now[i] | r.before[i])
	}
	return n
}

// account notes how much memory the feed uses. It has to be called after each change of
// that. The caller holds the lock.
func (f *Feed) account() {
	size := f.window.size + f.answers
	if f.removed {
		size = 0
	}
	f.feeds.used.Add(int64(size - f.accounted))
	f.accounted = size
}

// reclaim frees memory if there is more in use than the budget. The caller holds no lock.
func (f *Feeds) reclaim() {
	if f.used.Load() <= int64(f.cfg.Memory) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	type user struct {
		feed           *Feed
		subjects, size int
	}
	users := make([]user, 0, len(f.feeds))
	for _, feed := range f.feeds {
		feed.mu.Lock()
		users = append(users, user{feed, feed.readership.subjects(), feed.accounted})
		feed.mu.Unlock()
	}
	slices.SortFunc(users, func(a, b user) int {
		return cmp.Or(cmp.Compare(a.subjects, b.subjects), cmp.Compare(b.size, a.size))
	})
	floor := f.cfg.Memory / floorPart / max(1, len(users))
	excess := int(f.used.Load()) - f.cfg.Memory/10*reclaimTo
	for _, u := range users {
		if excess <= 0 {
			return
		}
		excess -= u.feed.give(excess, floor)
	}
}

// give frees some bytes, if the feed has them, and returns how many. A window keeps at
// least floor bytes.
func (f *Feed) give(wanted, floor int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.accounted
	f.forgetAnswers()
	if more := wanted - (before - f.window.size); more > 0 {
		f.window.trim(max(floor, f.window.size-more))
	}
	f.account()
	return before - f.accounted
}
