package feed

import (
	"slices"

	"github.com/shapegate/shapegate/proxy/electric"
)

// waiters are the waiting readers of a feed. Each is in the list of its cohort and, with
// Interest.Late, also in late. They have no lock: the tail guards them.
type waiters struct {
	cohorts *cohorts // of the feed
	number  int      // of all who wait
	late    []*Waiter
	newest  electric.TxID // not before Interest.Newest of those in late
	woken   uint64        // for a message, ever
}

// join adds a waiter.
func (x *waiters) join(w *Waiter) {
	a := w.interest.Cohort
	w.gone = false
	w.index = len(a.waiters)
	a.waiters = append(a.waiters, w)
	if w.interest.Late {
		if len(x.late) == 0 || x.newest.Before(w.interest.Newest) {
			x.newest = w.interest.Newest
		}
		w.lateIndex = len(x.late)
		x.late = append(x.late, w)
	}
	x.number++
}

// remove removes a waiter.
func (x *waiters) remove(w *Waiter) {
	a := w.interest.Cohort
	last := len(a.waiters) - 1
	a.waiters[last].index = w.index
	a.waiters[w.index] = a.waiters[last]
	a.waiters[last] = nil
	a.waiters = a.waiters[:last]
	x.left(w)
}

// left notes that a waiter is not in the list of its cohort any more.
func (x *waiters) left(w *Waiter) {
	w.gone = true
	x.number--
	if !w.interest.Late {
		return
	}
	last := len(x.late) - 1
	x.late[last].lateIndex = w.lateIndex
	x.late[w.lateIndex] = x.late[last]
	x.late[last] = nil
	x.late = x.late[:last]
}

// take removes and returns the waiters of a cohort.
func (x *waiters) take(a *Cohort) []*Waiter {
	all := a.waiters
	a.waiters = nil
	for _, w := range all {
		x.left(w)
	}
	return all
}

// takeAll removes and returns all waiters.
func (x *waiters) takeAll() (all []*Waiter) {
	for _, a := range x.cohorts.byKey {
		all = append(all, x.take(a)...)
	}
	return all
}

// wake removes the waiters that a batch concerns, and returns their wakes. It calls part
// for the part that is the batch, if there are any.
func (x *waiters) wake(b *batch, part func() Part) (wakes []wake) {
	if len(b.entries) == 0 || x.number == 0 {
		return nil
	}
	wakes = x.wakeLate(b, part, wakes)
	var concerned []*Cohort
	n := 0
	x.cohorts.concerned(b.entries, func(a *Cohort) {
		if len(a.waiters) > 0 {
			concerned, n = append(concerned, a), n+len(a.waiters)
		}
	})
	wakes = slices.Grow(wakes, n) // thousands of them are not moved again and again
	for _, a := range concerned {
		wakes = x.wakeCohort(a, b, part, wakes)
	}
	x.woken += uint64(len(wakes))
	return wakes
}

// wakeLate appends the wakes of the late waiters whose snapshots may have seen the batch.
func (x *waiters) wakeLate(b *batch, part func() Part, wakes []wake) []wake {
	if len(x.late) == 0 || !b.tellsOf(x.newest) {
		return wakes
	}
	for i := len(x.late) - 1; i >= 0; i-- { // remove moves the last one here
		if w := x.late[i]; w.isLateFor(b) && w.after.Compare(b.end) < 0 {
			x.remove(w)
			p := part()
			p.skip(w.after)
			wakes = append(wakes, wake{waiter: w, part: &p})
		}
	}
	return wakes
}

// wakeCohort appends the wakes of the waiters of a cohort. They share its answer, but for
// those who have some of the batch, or for whom it may be late.
func (x *waiters) wakeCohort(a *Cohort, b *batch, part func() Part, wakes []wake) []wake {
	whole := part()
	answer := x.cohorts.answers.begin(a, span{b.number, b.number, whole.UpToDate})
	waiters := x.take(a)
	parts := make([]Part, 0, len(waiters)) // one allocation for all of them
	for _, w := range waiters {
		if w.after.Compare(b.end) >= 0 {
			x.join(w) // its position is after this batch
			continue
		}
		parts = append(parts, whole)
		p := &parts[len(parts)-1]
		p.skip(w.after)
		if w.after.Compare(b.from) <= 0 && !w.isLateFor(b) {
			p.answer, p.cohort = answer, a
		}
		wakes = append(wakes, wake{waiter: w, part: p})
	}
	return wakes
}
