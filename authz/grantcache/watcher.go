package grantcache

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// watcher reads one Watch stream after the other, and takes in what they bring. A revision
// becomes one to resume from only after everything that is kept was touched at a revision
// before it.
type watcher struct {
	process    string // whose heartbeats count
	engine     authz.Engine
	schema     *schema
	freshness  *freshness
	heartbeats *heartbeats
	toucher    *toucher
	scheduler  *scheduler
	metrics    *metrics
	failures   *failures
	position   position
	stream     stream
}

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// run follows SpiceDB until ctx ends. A stream that breaks is resumed where it was;
// where that cannot be, everything that is kept is asked for again.
func (w *watcher) run(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		heard, err := w.watchOnce(ctx)
		if ctx.Err() != nil {
			break
		}
		w.broken(err)
		if heard {
			pause = firstPause
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2)) //nolint:gosec // spreading, not guarding
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, lastPause)
	}
	return nil
}

// watchOnce follows one stream, and says whether it brought anything.
func (w *watcher) watchOnce(ctx context.Context) (heard bool, err error) {
	from := w.position.resume
	if from == "" {
		if from, err = w.startAnew(ctx); err != nil {
			return false, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.begun(cancel)
	failed := false
	err = w.engine.Watch(ctx, from, func(e authz.WatchEvent) {
		if failed {
			return // it comes again, after what could not be taken in
		}
		heard = true
		if err := w.takeIn(ctx, &e); err != nil {
			failed = true
			cancel(err)
		}
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return heard, cause
	}
	return heard, err
}

// startAnew begins at the newest revision. Only when everything that is kept has been
// touched is that revision a place to resume from: until then the next attempt begins
// anew as well.
func (w *watcher) startAnew(ctx context.Context) (authz.ZedToken, error) {
	at, heartbeat, err := w.engine.Head(ctx)
	if err != nil {
		return "", err
	}
	w.metrics.watchStarts.Inc()
	w.schema.schemaChanged()
	if err := w.readSchema(ctx, heartbeat); err != nil {
		return "", err
	}
	w.position = position{newest: at, resume: at}
	return at, nil
}

// readSchema asks anew what permissions rest on, and touches everything.
func (w *watcher) readSchema(ctx context.Context, heartbeat bool) error {
	w.freshness.setHeartbeat(heartbeat)
	if err := w.schema.reload(ctx); err != nil {
		return err
	}
	w.scheduler.note(nil, time.Now())
	w.toucher.all(w.schema.all())
	return nil
}

// begun notes that a stream is asked for.
func (w *watcher) begun(cancel context.CancelCauseFunc) {
	if was := w.freshness.setOpen(true); !was && !w.freshness.hasHeartbeat() {
		// What was missed comes with the stream, but nothing says when it has come.
		w.toucher.all(w.schema.all())
	}
	w.stream.open(cancel)
	w.heartbeats.hurry()
}

// broken notes that the stream has ended.
func (w *watcher) broken(err error) {
	w.freshness.setOpen(false)
	w.stream.close()
	if errors.Is(err, authz.ErrRevisionGone) {
		w.position.resume = ""
	}
	w.metrics.watchBreaks.Inc()
	level := slog.LevelWarn
	if authz.KindOf(err) != authz.Unavailable {
		level = slog.LevelError
	}
	w.failures.report("watch "+authz.KindOf(err).String(), level, "the watch of SpiceDB broke; it is resumed", slog.Any("cause", err))
}

// checkProof breaks a stream that is not proven current any more, and reports, once, that
// it is not.
func (w *watcher) checkProof(now time.Time) (justLost bool) {
	lost, just := w.freshness.justLost(now)
	if lost {
		w.stream.cutSilent(now, w.freshness.bound)
	}
	return just
}

// takeIn takes in one event. An error ends the stream, and the event comes again.
func (w *watcher) takeIn(ctx context.Context, e *authz.WatchEvent) error {
	if e.SchemaChanged {
		// Until it is known what permissions rest on now, it is not known what an event
		// concerns: the stream waits. Whatever is asked from now on is asked again.
		w.schema.schemaChanged()
		_, heartbeat, err := w.engine.Head(ctx)
		if err != nil {
			return err
		}
		if err := w.readSchema(ctx, heartbeat); err != nil {
			return err
		}
	}
	if len(e.Updates) > 0 {
		w.toucher.take(w.schema.plan(e))
	}
	w.position.took(e)
	if n, ok := e.Heartbeats[w.process]; ok {
		w.freshness.returned(n, e.Through)
	}
	return nil
}
