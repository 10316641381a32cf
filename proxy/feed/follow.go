package feed

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/shapegate/shapegate/proxy/electric"
)

var (
	errAway   = errors.New("the log could not be followed for too long")
	errSilent = errors.New("no answer to a live request")
	errClosed = errors.New("the feeds are closed")

	// errNothing is the error of answers that do not come from Electric: it waits.
	errNothing = &electric.ProtocolError{Reason: "a live request is answered at once, and with nothing"}
)

const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second

	// steadyPace bounds the requests per second for a log that changes all the time. An
	// answer then has several changes. After a pause, burst requests are not delayed.
	steadyPace = 200
	burst      = 50

	// liveTime bounds a live request. Electric answers after 20 s at the latest, so that
	// a request of more than liveTime has been lost.
	liveTime = 30 * time.Second

	// quickly is less than the time of any live request that has waited.
	quickly = 100 * time.Millisecond
)

// follow follows the log until ctx ends or the feed fails.
func (f *Feed) follow(ctx context.Context) {
	pause := firstPause
	pace := rate.NewLimiter(steadyPace, burst)
	var last reply
	doubtful := false // a live request was answered that the log is gone
	for ctx.Err() == nil {
		var err error
		begins := f.isStarting()
		if begins {
			last, err = reply{}, f.start(ctx)
		} else {
			asked := time.Now()
			last, err = f.advance(ctx, last.cursor, doubtful)
			if err == nil && last.live && !last.moved && time.Since(asked) < quickly {
				err = errNothing
			}
		}
		switch {
		case err == nil:
			doubtful = false
			f.back()
			if last.live {
				pause = firstPause
			}
			if !begins {
				_ = pace.Wait(ctx) // the error is that of ctx
			}
			continue
		case ctx.Err() != nil:
			continue
		case errors.Is(err, electric.ErrMustRefetch) && last.live:
			// While Electric starts, it answers so for logs that it has. The answer to a
			// request that is not live is reliable (recording 11).
			doubtful = true
			if pause > firstPause { // not the first time
				rest(ctx, pause)
			}
			pause = min(2*pause, lastPause)
			continue
		case errors.Is(err, electric.ErrMustRefetch), errors.Is(err, electric.ErrRefused) && !begins:
			doubtful = false
			f.reset()
			if pause > firstPause { // not the first time
				rest(ctx, pause)
			}
			pause = min(2*pause, lastPause)
			continue
		case errors.Is(err, electric.ErrRefused), f.isNew():
			f.fail(err)
			return
		default:
			f.away(err)
			f.feeds.log.LogAttrs(ctx, slog.LevelWarn, "a feed is away from Electric", slog.String("shape", f.shape), slog.Any("cause", err))
			rest(ctx, pause/2+rand.N(pause/2)) //nolint:gosec // spreading, not guarding
			pause = min(2*pause, lastPause)
		}
	}
	f.fail(&electric.UnavailableError{Err: errClosed})
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

func (f *Feed) isStarting() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state == starting
}

// isNew reports whether the feed has never followed its log. Readers that wait for it to
// start then get an error at once.
func (f *Feed) isNew() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.schema == nil
}

// start asks for the end of the log, and follows it from there.
func (f *Feed) start(ctx context.Context) error {
	at, table, err := f.PositionNow(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handle, f.schema = at.Handle, table
	f.dead = slices.DeleteFunc(f.dead, func(handle string) bool { return handle == at.Handle })
	f.window.begin(at.Offset)
	f.become(following)
	return nil
}

// become changes the state. The caller holds the lock.
func (f *Feed) become(s state) {
	f.state = s
	close(f.settled)
	f.settled = make(chan struct{})
}

// reply is what a request for the log led to, besides messages.
type reply struct {
	cursor string // for the next request
	live   bool   // the request was live
	moved  bool   // there were messages, or a new position
}

// advance waits for the next messages of the log and passes them on. With atOnce it does
// not wait.
func (f *Feed) advance(ctx context.Context, cursor string, atOnce bool) (reply, error) {
	f.mu.Lock()
	at := f.end()
	// After a failure, only a request that does not wait shows soon that Electric is back.
	// After an answer that was not up to date there is nothing to wait for.
	live := f.awaySince.IsZero() && f.window.upToDate && !atOnce
	f.asked = time.Now()
	f.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, liveTime, &electric.UnavailableError{Err: errSilent})
	defer cancel()
	resp, err := f.feeds.upstream.ReadLog(ctx, f.log, electric.LogRequest{
		Handle: at.Handle, Offset: at.Offset, Cursor: cursor,
		Live: live,
	})
	if err != nil {
		return reply{live: live}, err
	}
	b, err := f.read(resp, at.Offset)
	if err := errors.Join(err, resp.Close()); err != nil {
		return reply{}, err
	}
	switch {
	case resp.Handle != at.Handle:
		return reply{}, electric.ErrMustRefetch
	case resp.Offset.Compare(at.Offset) < 0:
		return reply{}, &electric.ProtocolError{Reason: "a log that goes back"}
	}
	f.pass(b)
	return reply{resp.Cursor, live, len(b.entries) > 0 || resp.Offset != at.Offset}, nil
}

// read decodes an answer of Electric.
func (f *Feed) read(resp *electric.LogResponse, from electric.Offset) (*batch, error) {
	b := &batch{from: from, end: resp.Offset, upToDate: resp.UpToDate, lastSeen: resp.Offset.LSN()}
	for {
		m, err := resp.Next()
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		case m.Operation == electric.Control && m.Control == electric.ControlUpToDate:
			b.lastSeen = max(b.lastSeen, m.LastSeenLSN())
			continue
		case m.Operation == electric.Control && m.Control == electric.ControlMustRefetch:
			return nil, &electric.ProtocolError{Reason: "must-refetch in a log"}
		}
		e, err := f.decode(m)
		if err != nil {
			return nil, err
		}
		if tx, ok := e.message.OldestTxID(); ok && (!b.hasOldest || tx.Before(b.oldest)) {
			b.oldest, b.hasOldest = tx, true
		}
		b.entries = append(b.entries, e)
		b.size += e.size()
	}
}

// pass adds a batch to the window and wakes the readers that it concerns.
func (f *Feed) pass(b *batch) {
	f.mu.Lock()
	f.window.add(b)
	wakes := f.concerned(b)
	f.account()
	f.mu.Unlock()
	f.feeds.reclaim()
	for _, w := range wakes {
		w.send()
	}
}

// back notes that Electric answers.
func (f *Feed) back() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaySince, f.awayErr, f.failures = time.Time{}, nil, 0
}

// away notes that Electric does not answer. If it has been away for too long, all
// waiting readers get the error.
func (f *Feed) away(err error) {
	f.mu.Lock()
	now := time.Now()
	if f.awaySince.IsZero() {
		f.awaySince = now
	}
	f.awayErr = err
	f.failures++
	var all []*Waiter
	if f.unusable(now) != nil {
		all = f.allWaiters()
	}
	f.mu.Unlock()
	wakeAll(all, err)
}

// reset gives up a log that Electric does not have any more. All waiting readers get
// ErrMustRefetch. The feed starts again, with the log that Electric has then.
func (f *Feed) reset() {
	f.mu.Lock()
	if f.handle != "" {
		if f.dead = append(f.dead, f.handle); len(f.dead) > mostDead {
			f.dead = f.dead[1:]
		}
	}
	f.counts.restarts++
	f.handle = ""
	f.window.begin(electric.Start)
	all := f.allWaiters()
	f.forgetAnswers()
	f.cohorts, f.index = make(map[string]*Cohort), newIndex(len(f.columns))
	f.account()
	f.become(starting)
	f.mu.Unlock()
	wakeAll(all, electric.ErrMustRefetch)
}

// fail ends the feed. All waiting readers get the error.
func (f *Feed) fail(err error) {
	f.feeds.remove(f)
	f.mu.Lock()
	f.err = err
	all := f.allWaiters()
	f.become(failed)
	f.mu.Unlock()
	wakeAll(all, err)
}
