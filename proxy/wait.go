package proxy

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// errWaitOver says that a held request has waited long enough, or that the
// server is shutting down: it is answered with what there is.
var errWaitOver = errors.New("the wait is over")

// errGrantsChanged says that what the reader may see is not what it was when the
// wait began.
var errGrantsChanged = errors.New("the grants have changed")

// await reads the next batch after a position, waiting for at most d, and until
// changed is closed. Only the wait is bounded: once the batch has begun, reading
// it takes as long as it takes. It returns errWaitOver or errGrantsChanged if
// nothing came.
func (rd *reading) await(ctx context.Context, log shapeLog, at position, cursor string, d time.Duration, changed <-chan struct{}) (*batch, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	arrived, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-changed:
			cancel(errGrantsChanged)
		case <-timer.C:
			cancel(errWaitOver)
		case <-rd.h.draining.Done():
			cancel(errWaitOver)
		case <-arrived:
		}
	}()
	b, err := log.Read(ctx, at, true, cursor)
	close(arrived)
	<-watched
	if err == nil && ctx.Err() == nil {
		b.messages = &ownedMessages{b.messages, func() { cancel(context.Canceled) }}
		return b, nil
	}
	// Either the read failed or, at the last moment, the wait was over too: then
	// the batch's context has ended, and what it would still read is lost.
	if err == nil {
		err = errors.Join(context.Cause(ctx), b.Close())
	}
	cancel(context.Canceled)
	return nil, err
}

// ownedMessages ends the context that its messages are read under.
type ownedMessages struct {
	messages
	release func()
}

func (m *ownedMessages) Close() error {
	defer m.release()
	return m.messages.Close()
}

// cursorEpoch is what Electric counts its cursors from.
var cursorEpoch = time.Date(2024, time.October, 9, 0, 0, 0, 0, time.UTC)

// nextCursor returns a cursor for an answer that Electric gave none for, made as
// Electric makes them: the seconds since its epoch, in steps of its long-poll
// timeout, and never the one that the client already has.
func nextCursor(now time.Time, previous string) string {
	const step = 20
	n := (int64(now.Sub(cursorEpoch)/time.Second)/step + 1) * step
	if p, err := strconv.ParseInt(previous, 10, 64); err == nil && p >= n {
		n = p + 1
	}
	return strconv.FormatInt(n, 10)
}
