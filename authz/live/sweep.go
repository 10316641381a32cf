package live

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/shapegate/shapegate/authz"
)

var errSilent = errors.New("the canary does not come back")

// sweep does what is due with time, until ctx ends.
func (k *Keeper) sweep(ctx context.Context) error {
	every := max(min(k.cfg.MaxStaleness, k.cfg.Idle)/5, 10*time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			k.sweepAt(now)
		case <-ctx.Done():
			return nil
		}
	}
}

func (k *Keeper) sweepAt(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.lineages {
		if l.leases == 0 && now.Sub(l.idle) > k.cfg.Idle {
			k.drop(l)
		}
	}
	k.sweepCurrency(now)
	for _, h := range k.holdings {
		if h.valid && h.covered == h.wanted && h.inUse() && k.due(h, now) {
			h.wanted++
			h.whole = true
			k.refresh(h)
		}
	}
	k.metrics.staleness.Set(k.currency.age(now).Seconds())
	k.metrics.remembered.Set(float64(k.history.size + k.memory.size))
}

// sweepCurrency tells whoever waits when grants are not current any more: they
// decide anew, by asking SpiceDB or, if it does not answer, not at all. A stream
// that has been silent for too long is cut: there may be a better one. The caller
// holds the lock.
func (k *Keeper) sweepCurrency(now time.Time) {
	if k.currency.holds(now) {
		k.currency.lost = false
		return
	}
	if !k.currency.lost {
		k.currency.lost = true
		for _, l := range k.lineages {
			l.tell()
		}
	}
	if k.position.watching && now.Sub(k.position.opened) > k.cfg.MaxStaleness {
		k.position.cut(authz.E(authz.Unavailable, "watch", errSilent))
	}
}

// due reports whether a holding is to be looked up again though nothing says that
// it changed: it may change with time or, without a canary, in silence. Not all
// at once. The caller holds the lock.
func (k *Keeper) due(h *holding, now time.Time) bool {
	age := now.Sub(h.asked)
	switch {
	case h.volatile():
		return age > k.cfg.MaxStaleness/2
	case !k.currency.canary:
		return age > k.cfg.Relookup/2+rand.N(k.cfg.Relookup/2) //nolint:gosec // spreading, not guarding
	default:
		return false
	}
}

// expired reports whether a holding's value is too old to be used. The caller
// holds the lock.
func (k *Keeper) expired(h *holding, now time.Time) bool {
	age := now.Sub(h.asked)
	return h.volatile() && age > k.cfg.MaxStaleness || !k.currency.canary && age > k.cfg.Relookup+k.cfg.MaxStaleness
}

// age is how old the kept grants may be.
func (c *currency) age(now time.Time) time.Duration {
	if !c.canary || c.proven.IsZero() {
		return 0
	}
	return now.Sub(c.proven)
}
