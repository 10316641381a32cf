package feed

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/proxy/electric"
)

// Upstream is the Electric that feeds read. *electric.Client implements it.
type Upstream interface {
	ReadLog(ctx context.Context, f *electric.LogSpec, r electric.LogRequest) (*electric.LogResponse, error)
}

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
	cfg      Config
	upstream Upstream
	log      *slog.Logger

	ctx    context.Context //nolint:containedctx // of all feeds; Close ends it
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	feeds   map[string]*Feed
	charged map[string]int    // number of feeds, by the subject they count against
	number  int               // of the latest feed
	ended   map[string]counts // of feeds that have ended, by shape

	used atomic.Int64 // bytes of windows and answers
}

// ErrTooMany and ErrTooManyForSubject say that no further feed can be started now.
var (
	ErrTooMany           = errors.New("feed: too many feeds")
	ErrTooManyForSubject = errors.New("feed: too many feeds were started for one subject")
)

// New returns Feeds without a feed. The caller must Close it.
func New(cfg Config) (*Feeds, error) {
	cfg.fill()
	f := &Feeds{
		cfg: cfg, upstream: cfg.Upstream, log: cfg.Logger,
		feeds: make(map[string]*Feed), charged: make(map[string]int), ended: make(map[string]counts),
	}
	if cfg.Registerer != nil {
		if err := cfg.Registerer.Register(collector{f}); err != nil {
			return nil, err
		}
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.tasks.Go(f.sweep)
	return f, nil
}

// Close ends all feeds and waits for their goroutines.
func (f *Feeds) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
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
	if f.closed {
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
		feed = f.begin(key, log, columns, shape, subject)
	}
	feed.mu.Lock()
	defer feed.mu.Unlock()
	if feed.payer != subject && feed.readers == 0 {
		f.charge(feed, subject) // its payer does not read it any more
	}
	feed.readers++
	feed.readership.add(subject)
	return feed, nil
}

// charge makes a feed count against another subject. The caller holds the lock.
func (f *Feeds) charge(feed *Feed, subject string) {
	f.discharge(feed.payer)
	feed.payer = subject
	f.charged[subject]++
}

func (f *Feeds) discharge(subject string) {
	if f.charged[subject]--; f.charged[subject] == 0 {
		delete(f.charged, subject)
	}
}

// endIdle ends the feed that has been without readers for the longest time, if there is
// one. The caller holds the lock.
func (f *Feeds) endIdle() bool {
	var longest *Feed
	var since time.Time
	for _, feed := range f.feeds {
		if at, idle := feed.idleSince(); idle && (longest == nil || at.Before(since)) {
			longest, since = feed, at
		}
	}
	if longest == nil {
		return false
	}
	f.removeLocked(longest)
	longest.cancel()
	return true
}

func (f *Feed) idleSince() (since time.Time, idle bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.idle, f.readers == 0
}

// begin starts a feed. The caller holds the lock.
func (f *Feeds) begin(key string, log *electric.LogSpec, columns []Column, shape, subject string) *Feed {
	f.number++
	ctx, cancel := context.WithCancel(f.ctx)
	feed := &Feed{
		feeds: f, key: key, log: log, columns: make([]column, len(columns)), payer: subject, cancel: cancel,
		shape: shape, name: strconv.Itoa(f.number),
		settled: make(chan struct{}), cohorts: make(map[string]*Cohort), index: newIndex(len(columns)),
	}
	for i, c := range columns {
		feed.columns[i].name = c.Name
		if !slices.Contains(feed.names, c.Name) {
			feed.names = append(feed.names, c.Name)
		}
	}
	f.feeds[key] = feed
	f.charged[subject]++
	f.tasks.Go(func() {
		defer cancel()
		feed.follow(ctx)
	})
	return feed
}

// remove removes a feed. The next reader of its log starts another one.
func (f *Feeds) remove(feed *Feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.removeLocked(feed)
}

func (f *Feeds) removeLocked(feed *Feed) {
	if f.feeds[feed.key] != feed {
		return
	}
	delete(f.feeds, feed.key)
	f.discharge(feed.payer)
	feed.mu.Lock()
	defer feed.mu.Unlock()
	feed.removed = true
	feed.account()
	f.ended[feed.shape] = f.ended[feed.shape].plus(feed.counts)
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
		if feed.sweep(now) {
			f.removeLocked(feed)
			feed.cancel()
		}
	}
}

// sweep removes unused cohorts, and reports whether the feed itself is idle.
func (f *Feed) sweep(now time.Time) (idle bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweepCohorts(now)
	f.account()
	f.readership.turn(now)
	return f.readers == 0 && now.Sub(f.idle) > f.feeds.cfg.Idle
}
