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

// Waiter is one waiting reader. The lock of the tail guards it, but for the channel.
type Waiter struct {
	wake     chan wake // of capacity 1
	interest Interest
	after    electric.Offset

	index     int // in Cohort.waiters
	lateIndex int // in waiters.late
	gone      bool
}

// Wait returns the part after the waiter's place, as soon as a message in it concerns the
// reader. With ErrChanged and ErrOver it returns an empty part, whose End is where the
// reader has come to. Other errors are those of Feed.Read.
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

// leave ends a wait without a message. If the waiter was woken at the same moment, the
// reader does not see that part: its position stays before it, and is not the end of the log.
func (w *Waiter) leave(err error) (*Part, error) {
	t := w.interest.Cohort.tail
	t.mu.Lock()
	if !w.gone {
		defer t.mu.Unlock()
		t.waiters.remove(w)
		p := t.window.part(messages{after: t.window.end}, t.link.isAway())
		if w.after.Compare(t.window.end) > 0 {
			p.End.Offset = w.after
			p.skip(w.after)
		}
		return &p, err
	}
	t.mu.Unlock()
	woken := <-w.wake
	if woken.err != nil {
		return nil, woken.err
	}
	_ = woken.part.Close()
	back := *woken.part
	back.End.Offset, back.messages.batches, back.UpToDate = back.messages.after, nil, false
	return &back, err
}

func (w *Waiter) isLateFor(b *batch) bool { return w.interest.Late && b.tellsOf(w.interest.Newest) }

// wake is the end of a wait: a part, or an error.
type wake struct {
	waiter *Waiter
	part   *Part
	err    error
	pause  time.Duration // before Wait returns
}

func (w wake) send() { w.waiter.wake <- w }

// taken returns the part or error of a wake, errors after their pause.
func (w wake) taken(ctx context.Context) (*Part, error) {
	if w.err != nil {
		rest(ctx, w.pause)
	}
	return w.part, w.err
}

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

// rest waits for some time, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
