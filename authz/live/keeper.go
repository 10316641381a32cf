package live

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/authz"
)

// Config is what a Keeper is made of. Engine and Key are needed.
type Config struct {
	Engine authz.Engine
	Key    authz.FingerprintKey

	// MaxStaleness bounds how old the grants may be that a decision rests on; 0:
	// 5 s. With a canary in the schema it is also how long SpiceDB may be silent.
	MaxStaleness time.Duration

	// Beat is how often the canary is written; 0: 1 s.
	Beat time.Duration

	// Relookup is how often grants in use are looked up again where the schema has
	// no canary, so that nothing shows a watch that fell silent; 0: 30 s.
	Relookup time.Duration

	// Idle is how long grants are kept current that nobody uses; 0: 1 min.
	Idle time.Duration

	// Questions bounds how many questions are kept current at the same time; 0:
	// 200,000. More are refused as if SpiceDB were overloaded.
	Questions int

	// Memory bounds what is remembered of the past, in bytes: changes, and sets
	// that were once decided on. 0: 64 MiB.
	Memory int

	// Calls bounds how many calls may be under way at SpiceDB; 0: 8.
	Calls int

	Logger     *slog.Logger          // nil: slog.Default()
	Registerer prometheus.Registerer // nil: nothing is exported
}

func (c *Config) fill() {
	orDefault(&c.MaxStaleness, 5*time.Second)
	orDefault(&c.Beat, time.Second)
	orDefault(&c.Relookup, 30*time.Second)
	orDefault(&c.Idle, time.Minute)
	orDefault(&c.Memory, 64<<20)
	orDefault(&c.Calls, 8)
	orDefault(&c.Questions, 200_000)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

func orDefault[T ~int | ~int64](value *T, def T) {
	if *value <= 0 {
		*value = def
	}
}

// Keeper keeps decisions current. It is safe for concurrent use. Run makes it
// watch; without it, it asks for every decision anew.
type Keeper struct {
	cfg     Config
	engine  authz.Engine
	log     *slog.Logger
	metrics *metrics
	epoch   uint64 // of its marks
	process string // of its canary

	ctx    context.Context //nolint:containedctx // of the calls that outlive who asked; ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu          sync.Mutex
	closed      bool
	version     uint64 // counts every change of any holding
	holdings    map[holdingKey]*holding
	lineages    map[string]*lineage
	permissions map[permissionKey]*permission
	relations   map[authz.Relation][]*permission
	unknown     map[*permission]struct{}
	generation  uint64 // of the schema
	ids         map[string]*authz.IDs
	history     history
	memory      memory
	currency    currency
	position    position
	queue       queue
	confirming  confirming
	doubts      []*doubt
}

// New returns a keeper that does not watch yet. The caller closes it.
func New(cfg Config) (*Keeper, error) {
	cfg.fill()
	k := &Keeper{
		cfg: cfg, engine: cfg.Engine, log: cfg.Logger,
		epoch:       1 + rand.Uint64N(1<<48), //nolint:gosec // it tells apart, and guards nothing
		holdings:    make(map[holdingKey]*holding),
		lineages:    make(map[string]*lineage),
		permissions: make(map[permissionKey]*permission),
		relations:   make(map[authz.Relation][]*permission),
		unknown:     make(map[*permission]struct{}),
		ids:         make(map[string]*authz.IDs),
	}
	var err error
	if k.metrics, err = newMetrics(cfg.Registerer, k.Current); err != nil {
		return nil, err
	}
	k.process = strconv.FormatUint(k.epoch, 36)
	k.currency.bound = cfg.MaxStaleness
	k.position.beatNow = make(chan struct{}, 1)
	k.history.budget = cfg.Memory / 2
	k.memory = newMemory(cfg.Memory / 2)
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k, nil
}

// Run watches SpiceDB until ctx ends. It may be called once.
func (k *Keeper) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return k.watch(ctx) })
	group.Go(func() error { return k.beat(ctx) })
	group.Go(func() error { return k.sweep(ctx) })
	return group.Wait()
}

// Current reports whether decisions rest on what is kept. While it is false, each
// is asked for anew.
func (k *Keeper) Current() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.currency.holds(time.Now())
}

// Process names this keeper among the beats of the canary.
func (k *Keeper) Process() string { return k.process }

// Close ends what is under way, and waits for it. Every later decision fails.
func (k *Keeper) Close() error {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.tasks.Wait()
	return nil
}

// idsOf returns the numbering of a resource type's ids. The caller holds the lock.
func (k *Keeper) idsOf(resourceType string) *authz.IDs {
	ids, ok := k.ids[resourceType]
	if !ok {
		ids = authz.NewIDs(k.cfg.Key)
		k.ids[resourceType] = ids
	}
	return ids
}
