package feed

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"

	"github.com/shapegate/shapegate/proxy/electric"
)

const (
	// steadyPace bounds the requests per second for a log that changes all the time. An
	// answer then has several changes. After a pause, burst requests are not delayed.
	steadyPace = 200
	burst      = 50

	// quickly is less than the time of any live request that has waited.
	quickly = 100 * time.Millisecond
)

var (
	errSilent = errors.New("no answer to a live request")
	errClosed = errors.New("the feeds are closed")

	// errNothing is the error of answers that do not come from Electric: it waits.
	errNothing = &electric.ProtocolError{Reason: "a live request is answered at once, and with nothing"}
)

// follower reads the log of a feed on and on, one request at a time, and tells the tail
// what came. It runs in one goroutine, and only that uses it.
type follower struct {
	upstream *upstreamLog
	tail     *tail
	log      *slog.Logger

	started bool   // the end of the log is known
	cursor  string // Electric's, for the next request
	retry   retry
	pace    *rate.Limiter
}

func newFollower(upstream *upstreamLog, t *tail, log *slog.Logger) *follower {
	return &follower{upstream: upstream, tail: t, log: log, pace: rate.NewLimiter(steadyPace, burst)}
}

// run follows the log until ctx ends or the log cannot be followed. It returns the error
// that readers get from then on.
func (f *follower) run(ctx context.Context) error {
	for ctx.Err() == nil {
		o := f.request(ctx)
		if o.err != nil && ctx.Err() != nil {
			break
		}
		v, pause := f.retry.after(o)
		switch v {
		case fine:
			if !o.start {
				_ = f.pace.Wait(ctx) // the error is that of ctx
			}
		case over:
			return o.err
		case gone:
			f.started = false
			f.tail.stop(gone, electric.ErrMustRefetch)
		case away:
			f.tail.stop(away, o.err)
			f.log.LogAttrs(ctx, slog.LevelWarn, "a feed is away from Electric", slog.Any("cause", o.err))
			pause = pause/2 + rand.N(pause/2) //nolint:gosec // spreading, not guarding
		}
		if pause > 0 {
			rest(ctx, pause)
		}
	}
	return &electric.UnavailableError{Err: errClosed}
}

// request sends the next request.
func (f *follower) request(ctx context.Context) outcome {
	if !f.started {
		return f.start(ctx)
	}
	return f.advance(ctx)
}

// start asks for the end of the log, and has the tail begin there.
func (f *follower) start(ctx context.Context) outcome {
	f.cursor = ""
	at, table, err := f.upstream.position(ctx)
	if err == nil {
		f.started = true
		f.tail.begin(at, table)
	}
	return outcome{err: err, start: true}
}

// advance asks for the next messages of the log and passes them on. It waits for them if
// it can be expected that Electric lets it wait.
func (f *follower) advance(ctx context.Context) outcome {
	asked := time.Now()
	after, live := f.tail.ask(asked)
	live = live && !f.retry.doubtful
	ctx, cancel := context.WithTimeoutCause(ctx, liveTime, &electric.UnavailableError{Err: errSilent})
	defer cancel()
	request := electric.LogRequest{Handle: after.Handle, Offset: after.Offset, Cursor: f.cursor, Live: live}
	f.cursor = ""
	resp, err := f.upstream.ask(ctx, request)
	if err != nil {
		return outcome{err: err, live: live}
	}
	b, err := f.upstream.batch(resp, after)
	if err != nil {
		return outcome{err: err} // its contents are wrong, however long it waited
	}
	f.cursor = resp.Cursor
	f.tail.pass(b)
	if live && len(b.entries) == 0 && b.end == after.Offset && time.Since(asked) < quickly {
		return outcome{err: errNothing, live: true}
	}
	return outcome{live: live}
}
