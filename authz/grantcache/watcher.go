package grantcache

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// watcher is how far the watch has come.
type watcher struct {
	c  *Cache
	mu sync.Mutex

	// newest is the revision of the last event that was taken in. resume is one that was
	// surely brought in full, to watch from again: a revision may come in several events.
	// Neither is good to ask at, see authz.WatchEvent. resume is empty until everything
	// that is kept was touched at a revision before it.
	newest, resume authz.ZedToken

	watching bool                    // a stream was asked for, and has not broken
	opened   time.Time               // when it was asked for
	cut      context.CancelCauseFunc // breaks it

	heartbeatNow chan struct{} // a heartbeat is due now
}

func (w *watcher) resumeFrom() authz.ZedToken {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.resume
}

func (w *watcher) setResume(at authz.ZedToken) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.newest, w.resume = at, at
}

// took notes that an event was taken in.
func (w *watcher) took(e *authz.WatchEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Through != w.newest {
		w.resume, w.newest = w.newest, e.Through
	}
	if e.Checkpoint {
		w.resume = e.Through
	}
}

var errSilent = errors.New("no heartbeat comes back")

// cutSilent breaks a stream that has been silent for too long: there may be a better one.
func (w *watcher) cutSilent(now time.Time, bound time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watching && now.Sub(w.opened) > bound {
		w.cut(authz.E(authz.Unavailable, "watch", errSilent))
	}
}

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// watch follows SpiceDB until ctx ends. A stream that breaks is resumed where it was;
// where that cannot be, everything that is kept is asked for again.
func (w *watcher) watch(ctx context.Context) error {
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
	from := w.resumeFrom()
	if from == "" {
		if from, err = w.startAnew(ctx); err != nil {
			return false, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.begun(cancel)
	failed := false
	err = w.c.cfg.Engine.Watch(ctx, from, func(e authz.WatchEvent) {
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
	at, heartbeat, err := w.c.cfg.Engine.Head(ctx)
	if err != nil {
		return "", err
	}
	w.c.metrics.watchStarts.Inc()
	w.c.schema.schemaChanged()
	w.c.freshness.setHeartbeat(heartbeat)
	if err := w.c.schema.reload(ctx); err != nil {
		return "", err
	}
	w.setResume(at)
	return at, nil
}

// begun notes that a stream is asked for.
func (w *watcher) begun(cut context.CancelCauseFunc) {
	if was := w.c.freshness.setOpen(true); !was && !w.c.freshness.hasHeartbeat() {
		// What was missed comes with the stream, but nothing says when it has come.
		w.touchAll()
	}
	w.mu.Lock()
	w.watching, w.opened, w.cut = true, time.Now(), cut
	w.mu.Unlock()
	select {
	case w.heartbeatNow <- struct{}{}:
	default:
	}
}

// broken notes that the stream has ended.
func (w *watcher) broken(err error) {
	w.c.freshness.setOpen(false)
	w.mu.Lock()
	w.watching = false
	if errors.Is(err, authz.ErrRevisionGone) {
		w.resume = ""
	}
	w.mu.Unlock()
	w.c.metrics.watchBreaks.Inc()
	level := slog.LevelWarn
	if authz.KindOf(err) != authz.Unavailable {
		level = slog.LevelError
	}
	w.c.failures.report("watch "+authz.KindOf(err).String(), level, "the watch of SpiceDB broke; it is resumed", slog.Any("cause", err))
}

// takeIn takes in one event. An error ends the stream, and the event comes again.
func (w *watcher) takeIn(ctx context.Context, e *authz.WatchEvent) error {
	if e.SchemaChanged {
		// Until it is known what permissions rest on now, it is not known what an event
		// concerns: the stream waits. Whatever is asked from now on is asked again.
		w.c.schema.schemaChanged()
		_, heartbeat, err := w.c.cfg.Engine.Head(ctx)
		if err != nil {
			return err
		}
		w.c.freshness.setHeartbeat(heartbeat)
		if err := w.c.schema.reload(ctx); err != nil {
			return err
		}
	}
	if len(e.Updates) > 0 {
		w.takeUpdates(e.Updates)
	}
	w.took(e)
	if n, ok := e.Heartbeats[w.c.process]; ok {
		w.c.freshness.returned(n, e.Through)
	}
	return nil
}
