package feed

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// Interest says which messages a reader waits for.
type Interest struct {
	Cohort *Cohort

	// Late says that the reader has a snapshot with transactions that may still come in
	// the log. For it, messages of these transactions are filtered in another way than
	// for its cohort. So it is woken by each such message, whatever its ids, and does not
	// share the answer. Newest is not before any of these transactions.
	Late   bool
	Newest electric.TxID
}

// Until has the channels that end a wait. They may be nil.
type Until struct {
	Changed <-chan struct{} // the reader's grants: ErrChanged
	Ended   <-chan struct{} // the reader's credentials: ErrChanged
	Drained <-chan struct{} // ErrOver
	Timer   <-chan time.Time
}

// ErrChanged and ErrOver are the errors of a wait that ended without a message that
// concerns the reader.
var (
	ErrChanged = errors.New("feed: the wait was broken off")
	ErrOver    = errors.New("feed: the wait is over")
)

// Waiter is one waiting reader. The lock of the feed guards it, but for the channel.
type Waiter struct {
	wake     chan wake // of capacity 1
	interest Interest
	after    electric.Offset

	index     int // in Cohort.waiters
	lateIndex int // in Feed.late
	gone      bool
}

// wake is the end of a wait: a part, or an error.
type wake struct {
	waiter *Waiter
	part   *Part
	err    error
	pause  time.Duration // before Wait returns
}

func (w wake) send() { w.waiter.wake <- w }

// A reader that gets an error comes back at once and begins anew. So the errors of many
// readers are spread over some time.
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

// Wait returns the part after a place, as soon as a message in it concerns the reader.
// Messages that do not concern the cohort are skipped. With ErrChanged and ErrOver it
// returns an empty part, whose End is where the reader has come to. Other errors are
// those of Read.
func (f *Feed) Wait(ctx context.Context, after Place, in Interest, until Until) (*Part, error) {
	w, p, err := f.Join(ctx, after, in)
	if w == nil {
		return p, err
	}
	return w.Wait(ctx, until)
}

// Join is the first half of Wait. It returns the part that there is already, or else a
// waiter, whose Wait must be called.
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

// place returns the part after a place, or whether the place is ahead of the window. If
// it returns neither, Electric has to be asked. The caller holds the lock.
func (f *Feed) place(after Place, in Interest) (_ *Part, ahead bool, _ error) {
	switch err := f.unusable(time.Now()); {
	case err != nil:
		return nil, false, err
	case f.state == starting, f.cohorts[in.Cohort.key] != in.Cohort:
		return nil, false, electric.ErrMustRefetch // the log was reset meanwhile
	}
	p, err := f.part(after)
	return p, after.Known && after.Handle == f.handle && after.Offset.Compare(f.window.end) > 0, err
}

// Wait is the second half of Feed.Wait.
//
// Thousands of goroutines wait here, so this function and its callers must need little
// stack.
func (w *Waiter) Wait(ctx context.Context, until Until) (*Part, error) {
	select {
	case woken := <-w.wake:
		return woken.taken(ctx)
	case <-until.Changed:
		return w.leave(ErrChanged)
	case <-until.Ended:
		return w.leave(ErrChanged)
	case <-until.Timer:
		return w.leave(ErrOver)
	case <-until.Drained:
		return w.leave(ErrOver)
	case <-ctx.Done():
		return w.leave(context.Cause(ctx))
	}
}

// taken returns the part or error of a wake, errors after their pause.
func (w wake) taken(ctx context.Context) (*Part, error) {
	if w.err != nil {
		rest(ctx, w.pause)
	}
	return w.part, w.err
}

// join adds a waiter. The caller holds the lock.
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

// leave ends a wait without a message. If the waiter was woken at the same moment, the
// reader does not see that part, and its position stays before it.
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

// remove removes a waiter. The caller holds the lock.
func (f *Feed) remove(w *Waiter) {
	a := w.interest.Cohort
	last := len(a.waiters) - 1
	a.waiters[last].index = w.index
	a.waiters[w.index] = a.waiters[last]
	a.waiters[last] = nil
	a.waiters = a.waiters[:last]
	f.gone(w)
}

// gone notes that a waiter was removed from its cohort. The caller holds the lock.
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

// allWaiters removes and returns all waiters. The caller holds the lock, and wakes them.
func (f *Feed) allWaiters() (all []*Waiter) {
	for _, a := range f.cohorts {
		all = append(all, f.take(a)...)
	}
	return all
}

// take removes and returns the waiters of a cohort. The caller holds the lock.
func (f *Feed) take(a *Cohort) []*Waiter {
	all := a.waiters
	a.waiters = nil
	for _, w := range all {
		f.gone(w)
	}
	return all
}

// concerned removes the waiters that a batch concerns, and returns their wakes. The
// batch is already in the window. The caller holds the lock.
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

// numbered returns the ids of an entry with the numbers that they have now. The result
// is valid until the next call. The caller holds the lock.
func (f *Feed) numbered(e *entry) []ids {
	f.scratch = f.scratch[:0]
	for i := range e.ids {
		c := &f.columns[i]
		f.scratch = append(f.scratch, ids{c.resolved(e.ids[i].now), c.resolved(e.ids[i].before)})
	}
	return f.scratch
}

// wakeCohort appends the wakes of all waiters of a cohort, once in a round. The caller
// holds the lock.
func (f *Feed) wakeCohort(a *Cohort, b *batch, wakes []wake) []wake {
	if a.matched == f.round || len(a.waiters) == 0 {
		return wakes
	}
	a.matched = f.round
	f.forgetAnswer(a)
	a.last, a.lastOf = new(Answer), span{b.number, b.number, f.window.upToDate}
	waiters := f.take(a)
	parts := make([]Part, 0, len(waiters)) // one allocation for all of them
	for _, w := range waiters {
		if w.after.Compare(b.end) >= 0 {
			f.join(w.again()) // its position is after this batch
			continue
		}
		parts = append(parts, f.partOf(w, b))
		p := &parts[len(parts)-1]
		if w.after.Compare(b.from) <= 0 && !w.isLateFor(b) {
			p.answer, p.cohort = a.last, a
		}
		wakes = append(wakes, wake{waiter: w, part: p})
	}
	return wakes
}

// wakeLate appends the wakes of the late waiters whose snapshots may have seen the
// batch. The caller holds the lock.
func (f *Feed) wakeLate(b *batch, wakes []wake) []wake {
	if !b.hasOldest || len(f.late) == 0 || !b.oldest.Before(f.newest) {
		return wakes
	}
	for i := len(f.late) - 1; i >= 0; i-- { // remove moves the last one here
		if w := f.late[i]; w.isLateFor(b) && w.after.Compare(b.end) < 0 {
			f.remove(w)
			p := f.partOf(w, b)
			wakes = append(wakes, wake{waiter: w, part: &p})
		}
	}
	return wakes
}

// partOf returns a batch as the part of its waiter. It leaves out the messages before
// it, which do not concern the waiter. The caller holds the lock.
func (f *Feed) partOf(w *Waiter, b *batch) Part {
	from := b.from
	if w.after.Compare(from) > 0 {
		from = w.after
	}
	p := f.partFrom(from)
	p.batches = b.alone
	return p
}

func (w *Waiter) isLateFor(b *batch) bool {
	return w.interest.Late && b.hasOldest && b.oldest.Before(w.interest.Newest)
}

// again makes a removed waiter ready for join.
func (w *Waiter) again() *Waiter {
	w.gone = false
	return w
}
