package live

import "time"

// SpiceDB's full consistency is not quite that: calls that come at the same time
// share one look at what the newest revision is (a single flight, in each of its
// servers), and one that comes while the look is under way gets a revision from
// before it came. So an answer that is asked for right after a write may lack the
// write, though the watch has told of it.
//
// An answer that was asked for soon after it was touched is asked for once more, when
// every look that could have been shared is over. What touches others does not count:
// where something is written all the time, everything would be asked for all the time.
const confirmAfter = 100 * time.Millisecond

// confirming is what is to be asked for once more. The keeper's lock guards it.
type confirming struct {
	holdings map[*holding]confirmation
	waiting  bool
}

type confirmation struct {
	all bool
	ids map[string]struct{} // unless all
}

// confirmLater has an answer that just came asked for once more, if it may lack
// something. The caller holds the lock.
func (k *Keeper) confirmLater(a *asking) {
	if a.began.Sub(a.h.touched) >= confirmAfter {
		return
	}
	if k.confirming.holdings == nil {
		k.confirming.holdings = make(map[*holding]confirmation)
	}
	c := k.confirming.holdings[a.h]
	c.all = c.all || a.resources == nil
	for _, id := range a.resources {
		if c.ids == nil {
			c.ids = make(map[string]struct{})
		}
		c.ids[id] = struct{}{}
	}
	k.confirming.holdings[a.h] = c
	if !k.confirming.waiting {
		k.confirming.waiting = true
		time.AfterFunc(confirmAfter, k.confirm)
	}
}

// confirm asks for what is to be asked for once more.
func (k *Keeper) confirm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.confirming.holdings
	k.confirming = confirming{}
	if k.closed {
		return
	}
	for h, c := range all {
		if len(h.lineages) == 0 {
			continue
		}
		h.wanted++
		if c.all {
			h.whole, h.resources = true, nil
		}
		for id := range c.ids {
			h.askOne(id)
		}
		if h.inUse() {
			k.refresh(h)
		}
	}
}
