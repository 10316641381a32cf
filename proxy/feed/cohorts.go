package feed

import (
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// cohorts are the cohorts of a feed, with the answers that they share. They find those
// that a message concerns. They have no lock: the tail guards them.
type cohorts struct {
	columns *columns
	byKey   map[string]*Cohort
	index   index // of all in byKey, and no others
	answers answers

	round   uint64 // the number of calls of concerned
	scratch []ids  // of concerned
}

// cohortTime is how long a cohort without readers is kept. Between two long-polls a
// reader has none.
const cohortTime = 10 * time.Second

// open returns the cohort with a key for one reader. If there is none, it adds a new one.
func (x *cohorts) open(key string, made func() *Cohort) *Cohort {
	a, ok := x.byKey[key]
	if !ok {
		a = made()
		x.byKey[key] = a
		x.index.add(a, a.view.All || !x.columns.number(&a.view))
	}
	a.use.begin()
	return a
}

// has reports whether a cohort was not removed.
func (x *cohorts) has(a *Cohort) bool { return x.byKey[a.key] == a }

// clear removes all cohorts.
func (x *cohorts) clear() {
	x.forgetAnswers()
	x.byKey, x.index = make(map[string]*Cohort), newIndex(len(x.columns.all))
}

// sweep removes the cohorts that have had no reader for cohortTime.
func (x *cohorts) sweep(now time.Time) {
	for key, a := range x.byKey {
		if a.use.idleFor(now) >= cohortTime {
			x.answers.forget(a)
			x.index.remove(a)
			delete(x.byKey, key)
		}
	}
}

// forgetAnswers forgets the answers of all cohorts.
func (x *cohorts) forgetAnswers() {
	for _, a := range x.byKey {
		x.answers.forget(a)
	}
}

// concerned calls found once for each cohort that one of the entries concerns. A control
// message concerns all of them.
func (x *cohorts) concerned(entries []*entry, found func(*Cohort)) {
	x.round++
	once := func(a *Cohort) {
		if a.matched != x.round {
			a.matched = x.round
			found(a)
		}
	}
	for _, e := range entries {
		if e.message.Operation == electric.Control {
			for _, a := range x.byKey {
				once(a)
			}
			return
		}
		x.scratch = x.columns.numbered(x.scratch[:0], e)
		x.index.find(x.scratch, once)
	}
	for _, a := range x.index.all {
		once(a)
	}
}
