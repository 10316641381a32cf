package grantcache

import "slices"

// queue is what waits to be asked. Checks and jobs, which are short and concern the
// present, come before lookups, and lookups with a blocked reader before others.
type queue struct {
	checks  []*entry // many in one call
	jobs    []*job
	urgent  []*entry // lookups with a reader blocked on them
	lookups []*entry
}

// work is what one call asks. One of the fields is set.
type work struct {
	checks []*entry
	job    *job
	lookup *entry
}

// mostChecked is how many entries are checked in one call.
const mostChecked = 250

func (q *queue) isEmpty() bool { return len(q.urgent)+len(q.lookups)+len(q.checks)+len(q.jobs) == 0 }

// add adds an entry. One that is in it already has two places then: the later finds
// nothing to ask. The caller holds the shard's lock.
func (q *queue) add(e *entry) {
	switch {
	case !e.isLookup() || !e.asksWhole():
		q.checks = append(q.checks, e)
	case e.calls.urgent:
		q.urgent = append(q.urgent, e)
	default:
		q.lookups = append(q.lookups, e)
	}
}

// addJob adds a job. It takes the place of an older one about the same object, whose
// entries wait for the newer job now; one that asks again takes no place.
func (q *queue) addJob(j *job) {
	if !j.again {
		q.jobs = slices.DeleteFunc(q.jobs, func(o *job) bool { return o.isAbout(j) && !o.again })
	}
	q.jobs = append(q.jobs, j)
}

// next takes out what comes first. The queue is not empty.
func (q *queue) next() (w work) {
	if n := min(len(q.checks), mostChecked); n > 0 {
		w.checks = slices.Clone(q.checks[:n])
		q.checks = slices.Delete(q.checks, 0, n)
		return w
	}
	if len(q.jobs) > 0 {
		w.job = q.jobs[0]
		q.jobs = slices.Delete(q.jobs, 0, 1)
		return w
	}
	from := &q.urgent
	if len(*from) == 0 {
		from = &q.lookups
	}
	w.lookup = (*from)[0]
	(*from)[0] = nil
	*from = (*from)[1:]
	return w
}
