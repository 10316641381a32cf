package grantcache

import (
	"sync"
	"sync/atomic"
	"time"
)

// recheckAfter is how soon after a touch a call may begin that SpiceDB answers from before
// the touch: its full consistency shares one look at the head revision among calls of the
// same moment, in each of its servers.
const recheckAfter = 100 * time.Millisecond

// rechecks is what is asked once more, when every look at the head that could have been
// shared is over. No reader waits for it. What touches others does not count: where
// something is written all the time, everything would be asked all the time. All that waits
// is asked at the same time, which may be too soon for some: that is asked yet again.
type rechecks struct {
	touches   *atomic.Uint64
	scheduler *scheduler
	tasks     *tasks

	mu        sync.Mutex // taken while a shard's lock is held, and not the other way round
	entries   map[*entry]ask
	jobs      []*job
	isWaiting bool
}

// add has an entry asked once more.
func (r *rechecks) add(e *entry, a ask) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries == nil {
		r.entries = make(map[*entry]ask)
	}
	all := r.entries[e]
	all.add(a)
	r.entries[e] = all
	r.wait()
}

// addJob has a job asked once more, if it began too soon after the touch.
func (r *rechecks) addJob(j *job, began time.Time) {
	if began.Sub(j.at) >= recheckAfter {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.jobs {
		if other.isAbout(j) {
			if j.at.After(other.at) {
				other.entries, other.at = j.entries, j.at
			}
			return
		}
	}
	again := *j
	again.again = true
	r.jobs = append(r.jobs, &again)
	r.wait()
}

// wait starts the clock. The caller holds the lock.
func (r *rechecks) wait() {
	if r.isWaiting {
		return
	}
	r.isWaiting = true
	after := recheckAfter
	if r.scheduler.isAway() {
		after = awayFor
	}
	r.tasks.after(after, r.run)
}

// run asks for all of it.
func (r *rechecks) run() {
	r.mu.Lock()
	entries, jobs := r.entries, r.jobs
	r.entries, r.jobs, r.isWaiting = nil, nil, false
	r.mu.Unlock()
	r.scheduler.addJobs(jobs...)
	for e, a := range entries {
		e.shard.mu.Lock()
		r.ask(e, a)
		e.shard.mu.Unlock()
	}
	r.scheduler.dispatch()
}

// ask asks an entry once more. One that is not in use is asked at its next use. The caller
// holds the shard's lock, and dispatches.
func (r *rechecks) ask(e *entry, a ask) {
	if e.inUse() {
		e.calls.again.add(a)
		r.scheduler.enqueue(e)
		return
	}
	number := r.touches.Add(1)
	if a.whole || !e.isLookup() {
		e.heard.whole = number
		return
	}
	for id := range a.objects {
		e.heard.askAgain(id, number)
	}
}
