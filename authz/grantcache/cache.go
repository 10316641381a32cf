package grantcache

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/authz"
)

// Cache keeps the answers to questions current. It is safe for concurrent use. Run has
// it watch SpiceDB; without Run every decision is asked for anew.
type Cache struct {
	process string
	tasks   *tasks

	// What Run runs.
	freshness  *freshness
	heartbeats *heartbeats
	watcher    *watcher
	sweeper    *sweeper

	// What a subscription uses.
	questions *questions
	decider   *decider
	recaller  *recaller
	confirmer *confirmer
}

// New returns a cache that does not watch yet. The caller closes it.
func New(cfg Config) (*Cache, error) {
	if cfg.Engine == nil || cfg.Key == (authz.FingerprintKey{}) {
		return nil, errors.New("grantcache: Engine and Key are needed")
	}
	cfg.fill()
	process := strconv.FormatUint(rand.Uint64N(1<<48), 36) //nolint:gosec // a name, not a secret
	tasks, shards, touches := newTasks(), newShards(), &atomic.Uint64{}
	metrics := newMetrics()
	failures := &failures{log: cfg.Logger, unanswerable: metrics.unanswerable}
	freshness := &freshness{bound: cfg.MaxStaleness}

	// What is kept.
	tables := &tables{key: cfg.Key, byType: make(map[string]*authz.IDs)}
	space := &space{tables: tables, mostQuestions: int64(cfg.Questions), mostBytes: int64(cfg.SetMemory)}
	remembered := newRemembered(cfg.Memory - cfg.Memory/4)
	losses := &losses{most: int64(cfg.Memory / 4)}
	if err := metrics.register(cfg.Registerer, state{freshness, space, remembered, losses}); err != nil {
		return nil, err
	}
	schema := newSchema(cfg.Engine, tasks, failures)
	entries := &entries{schema, touches, space, losses, metrics.entries}
	questions := &questions{shards: shards, space: space, entries: entries}

	// What asks SpiceDB.
	client := &client{cfg.Engine, tables, space, metrics, failures}
	scheduler := &scheduler{tasks: tasks, most: cfg.Calls}
	debouncer := &debouncer{shards, scheduler, tasks}
	rechecks := &rechecks{touches: touches, scheduler: scheduler, tasks: tasks}
	outcomes := &outcomes{scheduler, debouncer, rechecks}
	settler := &settler{touches, losses, space, metrics.changes}
	jobs := &jobs{scheduler, rechecks, settler, outcomes}
	scheduler.caller = &asker{client, touches, tasks, failures, scheduler, settler, outcomes, jobs, rechecks}

	// What says that an answer may not be used any more.
	toucher := &toucher{shards, touches, losses, 2 * cfg.MaxStaleness, debouncer, scheduler, jobs}
	ages := &ages{maxStaleness: cfg.MaxStaleness, relookup: cfg.Relookup, freshness: freshness}
	heartbeats := &heartbeats{process, cfg.Heartbeat, cfg.Engine, freshness, metrics.heartbeatFailing, failures, make(chan struct{}, 1)}
	watcher := &watcher{
		process: process, engine: cfg.Engine, schema: schema, freshness: freshness, heartbeats: heartbeats,
		toucher: toucher, scheduler: scheduler, metrics: metrics, failures: failures,
	}
	forced := &forced{limit: cfg.Forced, subjects: make(map[authz.ObjectRef]*turns)}
	return &Cache{
		process: process, tasks: tasks, freshness: freshness, heartbeats: heartbeats, watcher: watcher, questions: questions,
		sweeper: &sweeper{
			cfg.Idle, questions, forced, &collector{shards, tables, remembered, settler}, watcher,
			&upkeep{shards, touches, losses, ages, debouncer, scheduler},
		},
		decider: &decider{
			cfg.Key, cfg.Engine, freshness, ages, entries,
			&tickets{touches, freshness, ages, tasks, scheduler}, forced, remembered,
		},
		recaller: &recaller{
			key: cfg.Key, tasks: tasks, client: client, tables: tables, remembered: remembered, forced: forced,
			places: make(chan struct{}, cfg.Calls),
		},
		confirmer: &confirmer{client, tables, toucher, scheduler},
	}, nil
}

// Subscribe returns a subscription to a question. It asks SpiceDB nothing yet. Errors are
// Invalid: a subject that SpiceDB would not accept, a rule that guards nothing; and
// Unavailable where too many questions are kept. The caller releases the subscription.
func (c *Cache) Subscribe(question authz.Question) (authz.Subscription, error) {
	q, err := c.questions.join(question)
	if err != nil {
		return nil, err
	}
	return &subscription{q: q, decider: c.decider, recaller: c.recaller, confirmer: c.confirmer}, nil
}

// Run watches SpiceDB until ctx ends. It may be called once.
func (c *Cache) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.watcher.run(ctx) })
	group.Go(func() error { return c.heartbeats.run(ctx) })
	group.Go(func() error { return c.sweeper.run(ctx) })
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
