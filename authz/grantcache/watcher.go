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
	mu sync.Mutex

	// newest is the revision of the last event that was taken in. resume is one that was
	// surely told in full, to watch from again: a revision may come in several events.
	// Neither is good to ask at, see authz.WatchEvent. resume is empty until everything
	// that is kept was touched at a revision before it.
	newest, resume authz.ZedToken

	watching bool                    // a stream was asked for, and has not broken
	opened   time.Time               // when it was asked for
	cut      context.CancelCauseFunc // breaks it

	heartbeatNow chan struct{} // a heartbeat is due now
}

func (w *watcher) isWatching() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watching
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
func (c *Cache) watch(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		told, err := c.watchOnce(ctx)
		if ctx.Err() != nil {
			break
		}
		c.broken(err)
		if told {
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

// watchOnce follows one stream, and says whether it told anything.
func (c *Cache) watchOnce(ctx context.Context) (told bool, err error) {
	from := c.watcher.resumeFrom()
	if from == "" {
		if from, err = c.startAnew(ctx); err != nil {
			return false, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.opened(cancel)
	failed := false
	err = c.cfg.Engine.Watch(ctx, from, func(e authz.WatchEvent) {
		if failed {
			return // it comes again, after what could not be taken in
		}
		told = true
		if err := c.takeIn(ctx, &e); err != nil {
			failed = true
			cancel(err)
		}
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return told, cause
	}
	return told, err
}

// startAnew begins at the newest revision. Only when everything that is kept has been
// touched is that revision a place to resume from: until then the next attempt begins
// anew as well.
func (c *Cache) startAnew(ctx context.Context) (authz.ZedToken, error) {
	at, canary, err := c.cfg.Engine.Head(ctx)
	if err != nil {
		return "", err
	}
	c.metrics.watchStarts.Inc()
	c.schema.schemaChanged()
	c.freshness.setCanary(canary)
	if err := c.reload(ctx); err != nil {
		return "", err
	}
	c.watcher.setResume(at)
	return at, nil
}

// opened notes that a stream is asked for.
func (c *Cache) opened(cut context.CancelCauseFunc) {
	w := &c.watcher
	if was := c.freshness.setOpen(true); !was && !c.freshness.hasCanary() {
		// What was missed comes with the stream, but nothing says when it has come.
		c.touchAll()
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
func (c *Cache) broken(err error) {
	w := &c.watcher
	c.freshness.setOpen(false)
	w.mu.Lock()
	w.watching = false
	if errors.Is(err, authz.ErrRevisionGone) {
		w.resume = ""
	}
	w.mu.Unlock()
	c.metrics.watchBreaks.Inc()
	level := slog.LevelWarn
	if authz.KindOf(err) != authz.Unavailable {
		level = slog.LevelError
	}
	c.causes.report("watch "+authz.KindOf(err).String(), level, "the watch of SpiceDB broke; it is resumed", slog.Any("cause", err))
}

// takeIn takes in one event. An error ends the stream, and the event comes again.
func (c *Cache) takeIn(ctx context.Context, e *authz.WatchEvent) error {
	if e.SchemaChanged {
		// Until it is known what permissions rest on now, no event can be told what it
		// concerns: the stream waits. Whatever is asked from now on is asked again.
		c.schema.schemaChanged()
		_, canary, err := c.cfg.Engine.Head(ctx)
		if err != nil {
			return err
		}
		c.freshness.setCanary(canary)
		if err := c.reload(ctx); err != nil {
			return err
		}
	}
	if len(e.Updates) > 0 {
		c.takeUpdates(e.Updates)
	}
	c.watcher.took(e)
	if n, ok := e.Heartbeats[c.process]; ok {
		c.freshness.returned(n, e.Through)
	}
	return nil
}
