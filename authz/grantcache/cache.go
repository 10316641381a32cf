package grantcache

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/authz"
)

// Config is what a Cache is made of. Engine and Key are needed.
type Config struct {
	Engine authz.Engine
	Key    authz.FingerprintKey

	// MaxStaleness bounds how old the grants may be that a decision rests on; 0: 5 s.
	// With the heartbeat definition in the schema it is also how long the watch may be silent.
	MaxStaleness time.Duration

	// Heartbeat is how often a heartbeat is written; 0: 1 s.
	Heartbeat time.Duration

	// Relookup is how often entries in use are looked up again where the schema lacks
	// the heartbeat definition, so that a silent watch is not noticed; 0: 30 s.
	Relookup time.Duration

	// Idle is how long unused entries are kept current; 0: 1 min.
	Idle time.Duration

	// Questions bounds how many questions are kept current at the same time; 0:
	// 200,000. More are refused as Unavailable.
	Questions int

	// Memory bounds what is remembered of the past, in bytes: earlier grants and
	// interrupted ids. 0: 64 MiB.
	Memory int

	// SetMemory bounds the current grant sets and the ids in them, in bytes; 0: 1 GiB.
	// A lookup whose answer does not fit is Unavailable.
	SetMemory int

	// Calls bounds how many calls may be under way at SpiceDB; 0: 8. As many again may
	// look up grants of the past.
	Calls int

	// Forced bounds how many lookups one subject may force in a minute, by naming a
	// ZedToken or a fingerprint that is not remembered; 0: 120. More wait for their
	// turn, for 2 s at most, and are then Unavailable.
	Forced int

	Logger     *slog.Logger          // nil: slog.Default()
	Registerer prometheus.Registerer // nil: nothing is exported
}

func (c *Config) fill() {
	orDefault(&c.MaxStaleness, 5*time.Second)
	orDefault(&c.Heartbeat, time.Second)
	orDefault(&c.Relookup, 30*time.Second)
	orDefault(&c.Idle, time.Minute)
	orDefault(&c.Questions, 200_000)
	orDefault(&c.Memory, 64<<20)
	orDefault(&c.SetMemory, 1<<30)
	orDefault(&c.Calls, 8)
	orDefault(&c.Forced, 120)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

func orDefault[T ~int | ~int64](value *T, def T) {
	if *value <= 0 {
		*value = def
	}
}

// Cache keeps the answers to questions current. It is safe for concurrent use. Run has
// it watch SpiceDB; without Run every decision is asked for anew.
type Cache struct {
	cfg      Config
	metrics  *metrics
	failures *failures
	process  string

	tasks   *tasks
	touches *atomic.Uint64 // numbers every touch of any entry
	shards  *shards
	schema  schema

	tables     *tables
	space      *space
	remembered *remembered
	losses     *losses
	settler    *settler
	collector  *collector

	freshness freshness
	watcher   watcher
	ages      *ages
	scheduler *scheduler
	debouncer *debouncer
	rechecks  *rechecks
	client    *client
	jobs      *jobs
	tickets   *tickets
	recalls   recalls
}

// New returns a cache that does not watch yet. The caller closes it.
func New(cfg Config) (*Cache, error) {
	cfg.fill()
	c := &Cache{
		cfg: cfg, process: strconv.FormatUint(rand.Uint64N(1<<48), 36), //nolint:gosec // a name, not a secret
		tasks: newTasks(), touches: &atomic.Uint64{}, shards: newShards(),
		tables:     &tables{key: cfg.Key, byType: make(map[string]*authz.IDs)},
		remembered: newRemembered(cfg.Memory - cfg.Memory/4),
		losses:     &losses{most: int64(cfg.Memory / 4)},
	}
	var err error
	if c.metrics, err = newMetrics(cfg.Registerer, c.Current); err != nil {
		return nil, err
	}
	c.failures = &failures{log: cfg.Logger, unanswerable: c.metrics.unanswerable}
	c.space = &space{tables: c.tables, mostQuestions: int64(cfg.Questions), mostBytes: int64(cfg.SetMemory)}
	c.settler = &settler{touches: c.touches, losses: c.losses, space: c.space, changes: c.metrics.changes}
	c.collector = &collector{shards: c.shards, tables: c.tables, remembered: c.remembered, settler: c.settler}
	c.schema.init(c)
	c.freshness.c, c.freshness.bound = c, cfg.MaxStaleness
	c.watcher.c = c
	c.watcher.heartbeatNow = make(chan struct{}, 1)
	c.recalls.limit, c.recalls.places = cfg.Forced, make(chan struct{}, cfg.Calls)
	c.wire()
	return c, nil
}

func (c *Cache) wire() {
	c.ages = &ages{maxStaleness: c.cfg.MaxStaleness, relookup: c.cfg.Relookup, freshness: &c.freshness}
	c.client = &client{engine: c.cfg.Engine, tables: c.tables, space: c.space, metrics: c.metrics, failures: c.failures}
	c.scheduler = &scheduler{tasks: c.tasks, most: c.cfg.Calls}
	c.debouncer = &debouncer{shards: c.shards, scheduler: c.scheduler, tasks: c.tasks}
	c.rechecks = &rechecks{touches: c.touches, scheduler: c.scheduler, tasks: c.tasks}
	outcomes := &outcomes{scheduler: c.scheduler, debouncer: c.debouncer, rechecks: c.rechecks}
	c.jobs = &jobs{client: c.client, touches: c.touches, tasks: c.tasks, failures: c.failures, scheduler: c.scheduler, settler: c.settler, outcomes: outcomes, rechecks: c.rechecks}
	c.scheduler.caller = &asker{client: c.client, touches: c.touches, tasks: c.tasks, failures: c.failures, scheduler: c.scheduler, settler: c.settler, outcomes: outcomes, jobs: c.jobs}
	c.tickets = &tickets{touches: c.touches, freshness: &c.freshness, ages: c.ages, tasks: c.tasks, scheduler: c.scheduler}
}

// Run watches SpiceDB until ctx ends. It may be called once.
func (c *Cache) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.watcher.watch(ctx) })
	group.Go(func() error { return c.freshness.writeHeartbeats(ctx) })
	group.Go(func() error { return c.sweep(ctx) })
	return group.Wait()
}

// Current reports whether decisions rest on cached entries. While it is false, each is
// asked for anew.
func (c *Cache) Current() bool { return c.freshness.isCurrent(time.Now()) }

// Process names this cache among the heartbeats in SpiceDB.
func (c *Cache) Process() string { return c.process }

// Close ends what is under way, and waits for it. Every later decision fails.
func (c *Cache) Close() error {
	c.tasks.close()
	return nil
}
