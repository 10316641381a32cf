package grantcache

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
