package grantcache

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
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

// shards is how many parts the subjects are spread over.
const shards = 64

// Cache keeps the answers to questions current. It is safe for concurrent use. Run has
// it watch SpiceDB; without Run every decision is asked for anew.
type Cache struct {
	cfg     Config
	metrics *metrics
	causes  causes
	process string
	seed    maphash.Seed

	touches atomic.Uint64 // numbers every touch of any entry
	shards  [shards]*shard
	schema  schema

	freshness freshness
	watcher   watcher
	refresher refresher
	memory    memory
	recalls   recalls
}

// shard holds the queries and entries of some subjects.
type shard struct {
	mu           sync.Mutex
	queries      map[string]*query
	entries      map[entryKey]*entry
	bySubject    map[authz.ObjectRef]map[*entry]struct{}
	byPermission map[*permission]map[*entry]struct{}
}

// New returns a cache that does not watch yet. The caller closes it.
func New(cfg Config) (*Cache, error) {
	cfg.fill()
	c := &Cache{
		cfg: cfg, process: strconv.FormatUint(rand.Uint64N(1<<48), 36), //nolint:gosec // a name, not a secret
		seed: maphash.MakeSeed(),
	}
	for i := range c.shards {
		c.shards[i] = &shard{
			queries: make(map[string]*query), entries: make(map[entryKey]*entry),
			bySubject:    make(map[authz.ObjectRef]map[*entry]struct{}),
			byPermission: make(map[*permission]map[*entry]struct{}),
		}
	}
	var err error
	if c.metrics, err = newMetrics(cfg.Registerer, c.Current); err != nil {
		return nil, err
	}
	c.causes = causes{log: cfg.Logger}
	c.schema.init(c)
	c.freshness.c, c.freshness.bound = c, cfg.MaxStaleness
	c.watcher.c = c
	c.watcher.heartbeatNow = make(chan struct{}, 1)
	c.memory.init(c)
	c.recalls.limit, c.recalls.places = cfg.Forced, make(chan struct{}, cfg.Calls)
	c.refresher.init(c)
	return c, nil
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

var errClosed = errors.New("the grant cache is closed")

// Close ends what is under way, and waits for it. Every later decision fails.
func (c *Cache) Close() error {
	c.refresher.close()
	return nil
}

func (c *Cache) shardOf(subject authz.ObjectRef) *shard {
	h := maphash.String(c.seed, subject.Type) ^ maphash.String(c.seed, subject.ID)
	return c.shards[h%shards]
}

// each calls do with every entry of a permission, with its shard's lock held. It holds
// one shard's lock at a time.
func (c *Cache) each(p *permission, do func(*entry)) {
	for _, s := range c.shards {
		s.mu.Lock()
		for e := range s.byPermission[p] {
			do(e)
		}
		s.mu.Unlock()
	}
}

// all calls do with every shard, locked.
func (c *Cache) all(do func(*shard)) {
	for _, s := range c.shards {
		s.mu.Lock()
		do(s)
		s.mu.Unlock()
	}
}
