package feed

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/rush"
)

// tail is the newest part of a log and those who read it: under one lock, so that no
// reader can miss a message between what is there and what it waits for. A follower tells
// it what Electric has. It does no I/O. It is safe for concurrent use, and calls nothing
// of others while it holds the lock but View functions.
type tail struct {
	memory  account // of the window and the answers
	reclaim func()  // frees memory if all feeds use too much; called without the lock
	rushes  *rush.Rushes

	mu       sync.Mutex
	link     link
	window   window // of no log, unless the state is following
	former   former
	cohorts  cohorts
	waiters  waiters
	restarts int // how often Electric had dropped the log
}

var errAway = errors.New("the log could not be followed for too long")

// newTail returns a tail that waits for its follower. Its shared answers may take a part
// of the budget.
func newTail(columns *columns, cfg *Config, budget *account, reclaim func()) *tail {
	t := &tail{link: newLink(cfg.Away), reclaim: reclaim, rushes: cfg.Rushes}
	t.memory.above = budget
	t.window.memory.above = &t.memory
	t.cohorts.columns = columns
	t.cohorts.answers.memory.above, t.cohorts.answers.most = &t.memory, cfg.Memory/answerPart
	t.cohorts.clear()
	t.waiters.cohorts = &t.cohorts
	return t
}

// ready waits until the log can be read, or returns why it cannot.
func (t *tail) ready(ctx context.Context) error {
	var timeout <-chan time.Time
	for {
		t.mu.Lock()
		state, settled, err := t.link.state, t.link.settled, t.link.unusable(time.Now())
		t.mu.Unlock()
		if state != starting || err != nil {
			return err
		}
		if timeout == nil {
			timer := time.NewTimer(t.link.patience)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-settled:
		case <-timeout:
			return &electric.UnavailableError{Err: errAway}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// position returns the end of the window, and whether it is the end of the log, as far
// as can be known. A new reader begins there, so it must not be long past: the reader
// would get changes from before it came.
func (t *tail) position(now time.Time) (at Place, table *electric.Schema, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.window.place(), t.window.schema, t.window.upToDate && t.link.isCurrent(now)
}

// read returns the messages after a place, or nil if Electric has to be asked.
func (t *tail) read(after Place) (*Part, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok, err := t.part(after)
	if !ok {
		return nil, err
	}
	return &p, nil
}

// part is read with the lock held. It returns false if Electric has to be asked.
func (t *tail) part(after Place) (p Part, ok bool, err error) {
	if t.former.has(after.Handle) {
		return p, false, electric.ErrMustRefetch
	}
	if !t.window.has(after) {
		return p, false, nil
	}
	return t.window.part(t.window.after(after.Offset), t.link.isAway()), true, nil
}

// join returns the messages after a place or, if there are none yet, a waiter for them.
// It returns neither if Electric has to be asked.
func (t *tail) join(after Place, in Interest) (*Waiter, *Part, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.link.unusable(time.Now()); err != nil {
		return nil, nil, err
	}
	if t.link.state == starting || !t.cohorts.has(in.Cohort) {
		return nil, nil, electric.ErrMustRefetch // the log was reset meanwhile
	}
	ahead := after.Known && t.window.isOf(after) && after.Offset.Compare(t.window.end) > 0
	p, ok, err := t.part(after)
	switch {
	case err != nil || !ok && !ahead:
		return nil, nil, err
	case ok && !p.Empty():
		found := p // p itself stays on the stack: most readers have nothing to read
		return nil, &found, nil
	}
	w := &Waiter{wake: make(chan wake, 1), interest: in, after: after.Offset}
	t.waiters.join(w)
	return w, nil, nil
}

// cohort opens the cohort with a key, and makes it if there is none.
func (t *tail) cohort(key string, view func() (View, Encoder)) *Cohort {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cohorts.open(key, func() *Cohort {
		a := &Cohort{tail: t, key: key}
		a.view, a.encode = view()
		return a
	})
}

// ask notes that Electric is asked for messages. It returns the place after which, and
// whether the request may wait for them. After a failure, only a request that does not
// wait shows soon that Electric is back. After an answer that was not up to date there is
// nothing to wait for.
func (t *tail) ask(now time.Time) (after Place, live bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link.asked = now
	return t.window.place(), t.window.upToDate && !t.link.isAway()
}

// begin begins with the end of a log.
func (t *tail) begin(at Place, table *electric.Schema) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.former.remove(at.Handle)
	t.window.begin(at, table)
	t.link.answered()
	t.link.become(following)
}

// pass adds a batch to the window and wakes the readers that it concerns. For them,
// Electric is still away if it was before this batch: more may come at once.
func (t *tail) pass(b *batch) {
	t.mu.Lock()
	t.window.add(b)
	wakes := t.waiters.wake(b, func() Part {
		return t.window.part(messages{after: b.from, batches: b.alone}, t.link.isAway())
	})
	t.link.answered()
	t.mu.Unlock()
	t.reclaim()
	woken := t.rushes.Add(len(wakes))
	for _, w := range wakes {
		w.part.rush = woken
		w.send()
	}
}

// stop notes that the log cannot be followed now, and why:
//
//   - away: readers get the error once Electric has been away for too long.
//   - gone: all waiting readers get the error. The follower begins with another log.
//   - over: all readers get the error from now on, and the memory is free.
func (t *tail) stop(v verdict, err error) {
	now := time.Now()
	t.mu.Lock()
	switch v {
	case away:
		t.link.unanswered(now, err)
	case gone:
		t.restarts++
		t.link.become(starting)
	case over:
		t.link.fail(err)
	}
	var told []*Waiter
	if v != away || t.link.unusable(now) != nil {
		told = t.waiters.takeAll()
	}
	if v != away {
		t.former.add(t.window.handle)
		t.window.begin(Place{}, nil)
		t.cohorts.clear()
	}
	t.mu.Unlock()
	wakeAll(told, err)
}

// sweep removes unused cohorts.
func (t *tail) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cohorts.sweep(now)
}

// give frees up to wanted bytes, answers first, and returns how many. The window keeps at
// least floor bytes.
func (t *tail) give(wanted, floor int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.memory.size()
	t.cohorts.forgetAnswers()
	t.window.trim(max(floor, before-wanted))
	return before - t.memory.size()
}

// status returns what a Status says of the tail.
func (t *tail) status(now time.Time) Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Status{Usage: Usage{
		Waiting: t.waiters.number, Cohorts: len(t.cohorts.byKey),
		WindowBytes: t.window.memory.size(), AnswerBytes: t.cohorts.answers.memory.size(),
		Restarts: t.restarts, Woken: t.waiters.woken,
	}}
	if t.link.state == following {
		s.Handle, s.Position, s.lsn = t.window.handle, t.window.end.String(), t.window.end.LSN()
	}
	if t.link.isAway() {
		s.Lag, s.Failures = now.Sub(t.link.since), t.link.failures
	}
	return s
}
