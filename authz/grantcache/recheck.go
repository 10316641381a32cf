package grantcache

import "time"

// recheckAfter is how soon after a touch a call may begin that SpiceDB answers from before
// the touch: its full consistency shares one look at the head revision among calls of the
// same moment, in each of its servers.
const recheckAfter = 100 * time.Millisecond

// rechecks is what is asked once more, when every look at the head that could have been
// shared is over. The refresher's lock guards it.
type rechecks struct {
	entries map[*entry]ask
	jobs    []*job
	waiting bool
}

// add has an entry asked once more. What touches others does not count: where something
// is written all the time, everything would be asked all the time.
func (r *rechecks) add(c *Cache, e *entry, a ask) {
	c.refresher.mu.Lock()
	defer c.refresher.mu.Unlock()
	if r.entries == nil {
		r.entries = make(map[*entry]ask)
	}
	all := r.entries[e]
	all.add(a)
	r.entries[e] = all
	r.wait(c)
}

func (r *rechecks) addJob(c *Cache, j *job, began time.Time) {
	if began.Sub(j.permission.lastTouched()) >= recheckAfter && !j.again {
		return
	}
	again := *j
	again.again = true
	c.refresher.mu.Lock()
	defer c.refresher.mu.Unlock()
	for _, other := range r.jobs {
		if other.permission == j.permission && other.id == j.id {
			other.entries = j.entries
			return
		}
	}
	r.jobs = append(r.jobs, &again)
	r.wait(c)
}

// wait starts the clock. The caller holds the refresher's lock.
func (r *rechecks) wait(c *Cache) {
	if !r.waiting {
		r.waiting = true
		after := recheckAfter
		if c.refresher.away != nil {
			after = awayFor
		}
		c.tasks.after(after, c.refresher.recheck)
	}
}

// recheck asks for what is to be asked once more. No reader waits for it.
func (r *refresher) recheck() {
	r.mu.Lock()
	due := r.rechecks
	r.rechecks = rechecks{}
	r.queue.jobs = append(r.queue.jobs, due.jobs...)
	r.mu.Unlock()
	for e, a := range due.entries {
		e.shard.mu.Lock()
		r.askAgain(e, a)
		e.shard.mu.Unlock()
	}
	r.dispatch()
}

// askAgain asks an entry once more. One that is not in use is asked at its next use.
// The caller holds the shard's lock, and dispatches.
func (r *refresher) askAgain(e *entry, a ask) {
	if e.inUse() {
		e.calls.again.add(a)
		r.enqueue(e)
		return
	}
	number := r.c.touches.Add(1)
	if a.whole || !e.isLookup() {
		e.heard.whole = number
		return
	}
	for id := range a.objects {
		if e.heard.objects == nil {
			e.heard.objects = make(map[string]touch)
		}
		t := e.heard.objects[id]
		t.number, t.job = number, nil
		e.heard.objects[id] = t
	}
}
