package live

import (
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// doubt is an answer that still grants what the watch has told was taken away. Most
// often it was granted twice. But SpiceDB may be ahead of the watch: then it was given
// back since, which the watch has yet to tell, and there was a time without it.
//
// So the answer does not count until the watch has told all that it can rest on, which
// a beat shows that was written after it came. Until then, nobody decides on it.
type doubt struct {
	answer
	beat uint64 // this one shows it, or a later one
}

// answer is what a call brought for one holding.
type answer struct {
	asking
	set  *authz.GrantSet // of a lookup
	held bool            // of a check
}

// take takes in an answer, as soon as it is beyond doubt. Without a canary there is
// nothing to wait for: the watch counts as up to date then. The caller holds the lock.
func (k *Keeper) take(a answer) {
	if !k.currency.canary || !a.h.flicker.doubts(a.h, a.set, a.held) {
		k.count(&a)
		return
	}
	d := &doubt{a, k.currency.last + 1}
	k.doubts = append(k.doubts, d)
	k.beatSoon()
	time.AfterFunc(k.cfg.MaxStaleness, func() { k.giveUp(d) })
}

// count has an answer count. The caller holds the lock.
func (k *Keeper) count(a *answer) {
	if a.resources == nil {
		a.h.asked = a.began
	}
	k.settle(a.h, a.set, a.held)
	a.h.flicker.settled()
	k.confirmLater(&a.asking)
	k.finish(a.h, a.ticket, nil)
}

// removeDoubts has the answers count that a beat shows to be beyond doubt. The caller
// holds the lock.
func (k *Keeper) removeDoubts(beat uint64) {
	var shown []*doubt
	k.doubts = slices.DeleteFunc(k.doubts, func(d *doubt) bool {
		if d.beat <= beat {
			shown = append(shown, d)
		}
		return d.beat <= beat
	})
	for _, d := range shown {
		k.count(&d.answer)
	}
}

// giveUp has an answer count that no beat came for: with whatever was taken away as
// lost and gained.
func (k *Keeper) giveUp(d *doubt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.Index(k.doubts, d)
	if i < 0 || k.closed {
		return
	}
	k.doubts = slices.Delete(k.doubts, i, i+1)
	d.h.flicker.distrust()
	k.count(&d.answer)
}

// beatSoon has the canary written out of turn.
func (k *Keeper) beatSoon() {
	select {
	case k.position.beatNow <- struct{}{}:
	default: // it is going to be
	}
}
