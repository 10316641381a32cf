package feed

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// Interest is what a reader waits for.
type Interest struct {
	Cohort *Cohort

	// Late readers were given a snapshot that has seen transactions which may yet
	// come in the log. What tells of them is not for the cohort's answer: such a
	// reader is woken for it, whatever is in it. None of the transactions comes after
	// Newest.
	Late   bool
	Newest electric.TxID
}

// Until is what ends a wait. Nil channels never do.
type Until struct {
	Changed <-chan struct{} // ErrChanged
	Drained <-chan struct{} // ErrOver
	Timer   <-chan time.Time
}

// ErrChanged and ErrOver say why a wait ended without anything that concerns the
// reader.
var (
	ErrChanged = errors.New("feed: the wait was broken off")
	ErrOver    = errors.New("feed: the wait is over")
)

// Waiter is one reader that waits. The feed's lock guards it, but for the channel.
type Waiter struct {
	wake     chan wake // has room for one
	interest Interest
	after    electric.Offset

	index     int // among its cohort's waiters
	lateIndex int // among the feed's late ones
	gone      bool
}

// wake is what a waiter is woken with.
type wake struct {
	waiter *Waiter
	part   *Part
	err    error
	pause  time.Duration // before it is told
}

func (w wake) send() { w.waiter.wake <- w }

// Whoever is told that something is over comes back at once, to begin anew. Where they
// are many, they are told one after the other.
const (
	tellTime = 200 * time.Microsecond
	mostTime = 2 * time.Second
)

func wakeAll(all []*Waiter, err error) {
	spread := min(time.Duration(len(all))*tellTime, mostTime)
	for _, w := range all {
		wake{waiter: w, err: err, pause: rand.N(spread + 1)}.send() //nolint:gosec // spreading, not guarding
	}
}

// Wait returns what comes after a place, as soon as some of it may concern the reader.
// What concerns nobody of the cohort is passed over. With ErrChanged and ErrOver
// the part says how far that went. Other errors are those of Read.
func (f *Feed) Wait(ctx context.Context, after Place, in Interest, until Until) (*Part, error) {
	w, p, err := f.Join(ctx, after, in)
	if w == nil {
		return p, err
	}
	return w.Wait(ctx, until)
}

// Join is the first half of Wait: it returns what there is to read, or else a waiter,
// on which Wait has to be called.
func (f *Feed) Join(ctx context.Context, after Place, in Interest) (*Waiter, *Part, error) {
	if err := f.ready(ctx); err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	p, ahead, err := f.place(after, in)
	if err != nil || p == nil && !ahead || p != nil && !p.Empty() {
		f.mu.Unlock()
		if p == nil && err == nil {
			p, err = f.readUpstream(ctx, after)
		}
		return nil, p, err
	}
	w := &Waiter{wake: make(chan wake, 1), interest: in, after: after.Offset}
	f.join(w)
	f.mu.Unlock()
	return w, nil, nil
}

// place returns what there is after a place, and whether that is ahead of the log. It
// is neither where Electric has to be asked. The caller holds the lock.
func (f *Feed) place(after Place, in Interest) (_ *Part, ahead bool, _ error) {
	switch err := f.unusable(time.Now()); {
	case err != nil:
		return nil, false, err
	case f.state == starting, f.cohorts[in.Cohort.key] != in.Cohort:
		return nil, false, electric.ErrMustRefetch // the log was reset just now
	}
	p, err := f.part(after)
	return p, after.Known && after.Handle == f.handle && after.Offset.Compare(f.window.end) > 0, err
}

// Wait is the second half of Feed.Wait.
//
// Thousands of goroutines stand here, so it and what it is called by keep little on
// their stacks.
func (w *Waiter) Wait(ctx context.Context, until Until) (*Part, error) {
	select {
	case woken := <-w.wake:
		return woken.taken(ctx)
	case <-until.Changed:
		return w.leave(ErrChanged)
	case <-until.Timer:
		return w.leave(ErrOver)
	case <-until.Drained:
		return w.leave(ErrOver)
	case <-ctx.Done():
		return w.leave(context.Cause(ctx))
	}
}

// taken is what a waiter is woken with, as soon as it is to be told.
func (w wake) taken(ctx context.Context) (*Part, error) {
	if w.err != nil {
		rest(ctx, w.pause)
	}
	return w.part, w.err
}

// join makes it wait. The caller holds the lock.
func (f *Feed) join(w *Waiter) {
	a := w.interest.Cohort
	w.index = len(a.waiters)
	a.waiters = append(a.waiters, w)
	if w.interest.Late {
		if len(f.late) == 0 || f.newest.Before(w.interest.Newest) {
			f.newest = w.interest.Newest
		}
		w.lateIndex = len(f.late)
		f.late = append(f.late, w)
	}
	f.waiting++
}

// leave ends a wait for another reason than what it was for. If that has come at the
// same moment, the reader has not seen it: its place is then before it.
func (w *Waiter) leave(err error) (*Part, error) {
	f := w.interest.Cohort.feed
	f.mu.Lock()
	if !w.gone {
		defer f.mu.Unlock()
		f.remove(w)
		if w.after.Compare(f.window.end) > 0 {
			ahead := f.newPart(w.after)
			ahead.End.Offset = w.after
			return ahead, err
		}
		return f.newPart(f.window.end), err
	}
	f.mu.Unlock()
	woken := <-w.wake
	if woken.err != nil {
		return nil, woken.err
	}
	back := *woken.part
	back.End.Offset, back.batches = back.from, nil
	return &back, err
}

// remove takes it out of where it waits. The caller holds the lock.
func (f *Feed) remove(w *Waiter) {
	a := w.interest.Cohort
	last := len(a.waiters) - 1
	a.waiters[last].index = w.index
	a.waiters[w.index] = a.waiters[last]
	a.waiters[last] = nil
	a.waiters = a.waiters[:last]
	f.gone(w)
}

// gone notes that it does not wait any more. The caller holds the lock.
func (f *Feed) gone(w *Waiter) {
	w.gone = true
	f.waiting--
	if !w.interest.Late {
		return
	}
	last := len(f.late) - 1
	f.late[last].lateIndex = w.lateIndex
	f.late[w.lateIndex] = f.late[last]
	f.late[last] = nil
	f.late = f.late[:last]
}

// allWaiters takes everybody who waits. The caller holds the lock, and wakes them.
func (f *Feed) allWaiters() (all []*Waiter) {
	for _, a := range f.cohorts {
		all = append(all, f.take(a)...)
	}
	return all
}

// take takes everybody of an cohort who waits. The caller holds the lock.
func (f *Feed) take(a *Cohort) []*Waiter {
	all := a.waiters
	a.waiters = nil
	for _, w := range all {
		f.gone(w)
	}
	return all
}

// concerned takes whom a batch concerns, which the window has by now. The caller holds
// the lock.
func (f *Feed) concerned(b *batch) (wakes []wake) {
	if len(b.entries) == 0 || f.waiting == 0 {
		return nil
	}
	wakes = f.wakeLate(b, wakes)
	f.round++
	for _, e := range b.entries {
		if e.message.Operation == electric.Control {
			for _, a := range f.cohorts {
				wakes = f.wakeCohort(a, b, wakes)
			}
			break
		}
		f.index.find(f.numbered(e), func(a *Cohort) { wakes = f.wakeCohort(a, b, wakes) })
	}
	for _, a := range f.index.all {
		wakes = f.wakeCohort(a, b, wakes)
	}
	f.counts.woken += uint64(len(wakes))
	return wakes
}

// numbered returns the ids of an entry with all numbers that they have by now, until
// the next call. The caller holds the lock.
func (f *Feed) numbered(e *entry) []ids {
	f.scratch = f.scratch[:0]
	for i := range e.ids {
		c := &f.columns[i]
		f.scratch = append(f.scratch, ids{c.resolved(e.ids[i].now), c.resolved(e.ids[i].before)})
	}
	return f.scratch
}

// wakeCohort takes everybody of an cohort, once a round. The caller holds the lock.
func (f *Feed) wakeCohort(a *Cohort, b *batch, wakes []wake) []wake {
	if a.matched == f.round || len(a.waiters) == 0 {
		return wakes
	}
	a.matched = f.round
	f.forgetAnswer(a)
	a.last, a.lastOf = new(Answer), span{b.number, b.number, f.window.upToDate}
	for _, w := range f.take(a) {
		if w.after.Compare(b.end) >= 0 {
			f.join(w.again()) // it is ahead of all this
			continue
		}
		p := f.partOf(w, b)
		if w.after.Compare(b.from) <= 0 && !w.isLateFor(b) {
			p.answer, p.cohort = a.last, a
		}
		wakes = append(wakes, wake{waiter: w, part: p})
	}
	return wakes
}

// wakeLate takes those for whom a batch may tell late what they know. The caller holds
// the lock.
func (f *Feed) wakeLate(b *batch, wakes []wake) []wake {
	if !b.hasOldest || len(f.late) == 0 || !b.oldest.Before(f.newest) {
		return wakes
	}
	for i := len(f.late) - 1; i >= 0; i-- { // who is removed gives way to one that was looked at
		if w := f.late[i]; w.isLateFor(b) && w.after.Compare(b.end) < 0 {
			f.remove(w)
			wakes = append(wakes, wake{waiter: w, part: f.partOf(w, b)})
		}
	}
	return wakes
}

// partOf is a batch as its waiter is given it. What came before concerns it no more.
// The caller holds the lock.
func (f *Feed) partOf(w *Waiter, b *batch) *Part {
	from := b.from
	if w.after.Compare(from) > 0 {
		from = w.after
	}
	p := f.newPart(from)
	p.batches = []*batch{b}
	return p
}

func (w *Waiter) isLateFor(b *batch) bool {
	return w.interest.Late && b.hasOldest && b.oldest.Before(w.interest.Newest)
}

// again is the same waiter, once more.
func (w *Waiter) again() *Waiter {
	w.gone = false
	return w
}
