package feed

import (
	"hash/maphash"
	"math/bits"
	"time"
)

// use counts the readers of a feed or a cohort. It has no lock.
type use struct {
	readers int
	idle    time.Time // when the last reader left
}

func (u *use) begin() { u.readers++ }

func (u *use) end(now time.Time) {
	if u.readers--; u.readers == 0 {
		u.idle = now
	}
}

// idleFor returns how long there has been no reader. It is negative while there is one.
func (u *use) idleFor(now time.Time) time.Duration {
	if u.readers > 0 {
		return -1
	}
	return now.Sub(u.idle)
}

// charges count feeds, by the subject whose limit they count against. They have no lock,
// and keep nothing of a subject without feeds.
type charges map[string]int

func (c charges) add(subject string) { c[subject]++ }

func (c charges) remove(subject string) {
	if c[subject]--; c[subject] == 0 {
		delete(c, subject)
	}
}

// readershipTime is how long a subject counts as a reader after it has opened a feed, at
// least. It is twice that at most.
const readershipTime = 5 * time.Minute

// readership estimates how many subjects read a feed. Each subject sets one bit of
// 1,024, chosen by a hash. So it needs little memory and holds no names; above about a
// thousand subjects the estimate stays the same. It has no lock.
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
