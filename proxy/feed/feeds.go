package feed

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/rush"
)

// Config configures Feeds. Upstream is required.
type Config struct {
	Upstream Upstream

	// Idle is how long a feed without readers goes on; 0: 30 s.
	Idle time.Duration

	// Away is how long Electric may be away before readers get an error; 0: 10 s.
	Away time.Duration

	// Feeds bounds the number of feeds; 0: 1,000.
	Feeds int

	// PerSubject bounds the feeds that count against one subject: those it started, but
	// for those that only others read; 0: 100.
	PerSubject int

	// Rushes is told of the readers that are woken; nil: nobody is.
	Rushes *rush.Rushes

	// Memory bounds the windows and shared answers of all feeds, in bytes; 0: 64 MiB.
	// The feeds that the fewest subjects read are trimmed first.
	Memory int

	Logger     *slog.Logger          // nil: slog.Default()
	Registerer prometheus.Registerer // nil: nothing is exported
}

func (c *Config) fill() {
	orDefault(&c.Idle, 30*time.Second)
	orDefault(&c.Away, 10*time.Second)
	orDefault(&c.Feeds, 1000)
	orDefault(&c.PerSubject, 100)
	orDefault(&c.Memory, 64<<20)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

func orDefault[T ~int | ~int64](value *T, def T) {
	if *value <= 0 {
		*value = def
	}
}

// Feeds is the feeds of a process. It is safe for concurrent use.
type Feeds struct {
	cfg    Config
	memory account // of all feeds

	ctx    context.Context //nolint:containedctx // of all feeds; Close ends it
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	// No feed is in use or begins without mu. It is locked before that of a tail.
	mu      sync.Mutex
	feeds   map[string]*Feed
	charged charges
	number  int              // of the latest feed
	ended   map[string]Usage // the counters of feeds that have ended, by shape
}

// ErrTooMany and ErrTooManyForSubject say that no further feed can be started now.
var (
	ErrTooMany           = errors.New("feed: too many feeds")
	ErrTooManyForSubject = errors.New("feed: too many feeds were started for one subject")
)

// New returns Feeds without a feed. The caller must Close it.
func New(cfg Config) (*Feeds, error) {
	cfg.fill()
	f := &Feeds{cfg: cfg, feeds: make(map[string]*Feed), charged: make(charges), ended: make(map[string]Usage)}
	if cfg.Registerer != nil {
		if err := cfg.Registerer.Register(collector{f}); err != nil {
			return nil, err
		}
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.tasks.Go(f.sweep)
	return f, nil
}

// PerSubject returns how many feeds may be started for one subject.
func (f *Feeds) PerSubject() int { return f.cfg.PerSubject }

// Close ends all feeds and waits for their goroutines.
func (f *Feeds) Close() {
	f.mu.Lock()
	f.cancel()
	f.mu.Unlock()
	f.tasks.Wait()
	if f.cfg.Registerer != nil {
		f.cfg.Registerer.Unregister(collector{f})
	}
}

// Open returns the feed of a log for one reader, and starts the feed if there is none.
// It counts against the limit of subject. The shape is its name in metrics. Equal logs
// must come with equal columns. The caller must Release the feed. Errors are ErrTooMany,
// ErrTooManyForSubject, and an *electric.UnavailableError after Close.
func (f *Feeds) Open(log *electric.LogSpec, columns []Column, shape, subject string) (*Feed, error) {
	key := log.Key()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		return nil, &electric.UnavailableError{Err: errClosed}
	}
	feed, ok := f.feeds[key]
	if !ok {
		if f.charged[subject] >= f.cfg.PerSubject {
			return nil, ErrTooManyForSubject
		}
		if len(f.feeds) >= f.cfg.Feeds && !f.endIdle() {
			return nil, ErrTooMany
		}
		feed = f.start(&upstreamLog{f.cfg.Upstream, log, newColumns(columns)}, shape)
		feed.key, feed.payer = key, subject
		f.feeds[key] = feed
		f.charged.add(subject)
	}
	if feed.payer != subject && feed.use.readers == 0 { // its payer does not read it any more
		f.charged.remove(feed.payer)
		f.charged.add(subject)
		feed.payer = subject
	}
	feed.use.begin()
	feed.readership.add(subject)
	return feed, nil
}

// start starts a feed. The caller holds the lock.
func (f *Feeds) start(log *upstreamLog, shape string) *Feed {
	f.number++
	ctx, cancel := context.WithCancel(f.ctx)
	feed := &Feed{
		upstream: log, tail: newTail(log.columns, &f.cfg, &f.memory, f.reclaim),
		feeds: f, shape: shape, name: strconv.Itoa(f.number), cancel: cancel,
	}
	follower := newFollower(log, feed.tail, f.cfg.Logger.With(slog.String("shape", shape)))
	f.tasks.Go(func() {
		defer cancel()
		err := follower.run(ctx)
		f.mu.Lock()
		f.remove(feed) // first, so that those who are told open another one
		f.mu.Unlock()
		feed.tail.stop(over, err)
	})
	return feed
}

// endIdle ends the feed that has been without readers for the longest time, if there is
// one. The caller holds the lock.
func (f *Feeds) endIdle() bool {
	var longest *Feed
	for _, feed := range f.feeds {
		if feed.use.readers == 0 && (longest == nil || feed.use.idle.Before(longest.use.idle)) {
			longest = feed
		}
	}
	if longest == nil {
		return false
	}
	f.remove(longest)
	return true
}

// remove ends a feed. The next reader of its log starts another one. The caller holds the
// lock.
func (f *Feeds) remove(feed *Feed) {
	if f.feeds[feed.key] != feed {
		return
	}
	feed.cancel()
	delete(f.feeds, feed.key)
	f.charged.remove(feed.payer)
	s := feed.status(time.Now())
	f.ended[feed.shape] = f.ended[feed.shape].plus(Usage{Restarts: s.Restarts, Woken: s.Woken})
}

// sweep ends idle feeds, until Close.
func (f *Feeds) sweep() {
	tick := time.NewTicker(min(f.cfg.Idle, cohortTime) / 2)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			f.sweepAt(now)
		case <-f.ctx.Done():
			return
		}
	}
}

func (f *Feeds) sweepAt(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, feed := range f.feeds {
		feed.tail.sweep(now)
		feed.readership.turn(now)
		if feed.use.idleFor(now) > f.cfg.Idle {
			f.remove(feed)
		}
	}
}
