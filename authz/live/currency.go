package live

import (
	"context"
	"log/slog"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// currency is what shows that the watch has told everything that was written up to
// a moment. The keeper's lock guards it.
//
// With a canary in the schema, that is a beat that came back: whatever was written
// before the beat came before it. Nothing else is proof, since an event says
// nothing of how late it is, and silence says nothing at all.
//
// Without a canary, it is that the stream has not broken. A stream that falls
// silent without breaking is then not noticed; that is why grants are looked up
// again now and then, and that interval is the bound.
type currency struct {
	bound  time.Duration
	canary bool
	open   bool                 // the stream, without a canary
	proven time.Time            // everything written before was told, with a canary
	beats  map[uint64]time.Time // when the writing of each beat began that is not back yet
	last   uint64               // the number of the last beat
	lost   bool                 // whoever waits was told that grants are not current
}

// holds reports whether grants as they are kept are recent enough now.
func (c *currency) holds(now time.Time) bool {
	if !c.canary {
		return c.open
	}
	return now.Sub(c.proven) <= c.bound
}

// begin returns the number of a beat that is about to be written.
func (c *currency) begin(now time.Time) uint64 {
	const most = 64 // without any coming back, the old ones will not
	c.last++
	if c.beats == nil || len(c.beats) >= most {
		c.beats = make(map[uint64]time.Time)
	}
	c.beats[c.last] = now
	return c.last
}

// returned notes that a beat came back.
func (c *currency) returned(n uint64) {
	began, ok := c.beats[n]
	if !ok {
		return
	}
	for m := range c.beats {
		if m <= n {
			delete(c.beats, m)
		}
	}
	if began.After(c.proven) {
		c.proven = began
	}
}

// beat writes the canary until ctx ends, as long as the schema has one.
func (k *Keeper) beat(ctx context.Context) error {
	tick := time.NewTicker(k.cfg.Beat)
	defer tick.Stop()
	for {
		k.beatOnce(ctx)
		select {
		case <-tick.C:
		case <-k.position.beatNow:
		case <-ctx.Done():
			return nil
		}
	}
}

func (k *Keeper) beatOnce(ctx context.Context) {
	k.mu.Lock()
	if !k.currency.canary || !k.position.watching {
		k.mu.Unlock()
		return
	}
	n := k.currency.begin(time.Now())
	k.mu.Unlock()
	err := k.engine.Beat(ctx, k.process, n)
	if err == nil || ctx.Err() != nil {
		return
	}
	if authz.KindOf(err) == authz.Unavailable {
		k.log.LogAttrs(ctx, slog.LevelWarn, "the canary could not be written", slog.Any("cause", err))
		return
	}
	k.log.LogAttrs(ctx, slog.LevelError, "SpiceDB takes no canary from us; a watch that falls silent is noticed only when grants are looked up again",
		slog.Any("cause", err), slog.Duration("every", k.cfg.Relookup))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.currency.canary = false
}
