package feed

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"time"
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

	// readershipTime is how long a subject counts as a reader after it has opened a feed,
	// at least. It is twice that at most.
	readershipTime = 5 * time.Minute
)

// readership estimates how many subjects read a feed. Each subject sets one bit of
// 1,024, chosen by a hash. So it needs little memory and holds no names; above about a
// thousand subjects the estimate stays the same.
type readership struct {
	now, before [16]uint64
	turned      time.Time
}

var readershipSeed = maphash.MakeSeed()

func (r *readership) add(subject string) {
	bit := maphash.String(readershipSeed, subject) % (64 * uint64(len(r.now)))
	r.now[bit/64] |= 1 << (bit % 64)
}

// turn forgets subjects that have not opened the feed for a while.
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

// account updates the memory that is counted for the feed. It must be called after each
// change of window.size or answers. The caller holds the lock.
func (f *Feed) account() {
	size := f.window.size + f.answers
	if f.removed {
		size = 0
	}
	f.feeds.used.Add(int64(size - f.accounted))
	f.accounted = size
}

// reclaim frees memory if the feeds use more than their budget. The caller must hold no
// lock.
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

// give frees up to wanted bytes and returns how many. The window keeps at least floor
// bytes.
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
