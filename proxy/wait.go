package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/shapegate/shapegate/proxy/feed"
)

// errWaitOver says that a held request has waited long enough, or that the
// server is shutting down: it is answered with what there is.
var errWaitOver = errors.New("the wait is over")

// errGrantsChanged says that what the reader may see is not what it was when the
// wait began.
var errGrantsChanged = errors.New("the grants have changed")

// await waits for what comes after a place and may concern the reader, for at most d,
// and until changed is closed. With errWaitOver and errGrantsChanged the batch, which
// is empty, says how far the log went meanwhile.
func (rd *reading) await(ctx context.Context, log shapeLog, after feed.Place, d time.Duration, changed <-chan struct{}) (*batch, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	b, err := log.Wait(ctx, after, feed.Until{Changed: changed, Drained: rd.h.draining.Done(), Timer: timer.C})
	return b, waitError(err)
}

// waitError says in the words of this package why a wait has ended.
func waitError(err error) error {
	switch {
	case errors.Is(err, feed.ErrChanged):
		return errGrantsChanged
	case errors.Is(err, feed.ErrOver):
		return errWaitOver
	}
	return err
}

// spread shortens a wait at random, by up to a quarter: those who began to wait at the
// same moment, since the same message woke them, do not all come back at the same.
func spread(d time.Duration) time.Duration {
	return d - rand.N(d/4+1) //nolint:gosec // spreading, not guarding
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
