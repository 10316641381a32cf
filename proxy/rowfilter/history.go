package rowfilter

import (
	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Step is a snapshot that the reader was given and that the log may not have passed yet.
type Step struct {
	Fence electric.Fence

	// Kept are the grants that held before the snapshot, after it, and in between.
	Kept authz.Grants

	// Held are the grants whose rows the reader may have held before the snapshot.
	Held []authz.Grants
}

// history is what is known of what one reader was sent so far.
type history struct {
	served      authz.Grants   // the grants that it surely was served
	pending     []authz.Grants // those of resyncs that it may have
	interrupted authz.Grants   // what it lost for a while since it was served
	steps       []Step         // oldest first
}

// seen appends the steps whose snapshots have seen a message to dst. The message is late
// if there is any.
func (h *history) seen(dst []*Step, m *electric.Message) []*Step {
	for i := range h.steps {
		if m.SeenBy(&h.steps[i].Fence) {
			dst = append(dst, &h.steps[i])
		}
	}
	return dst
}

// kept reports whether an id of a filter was granted all the time, as far as is known.
func (h *history) kept(seen []*Step, filter int, id []byte) bool {
	if !has(h.served, filter, id) || h.interrupted.Set(filter).HasBytes(id) {
		return false
	}
	for _, g := range h.pending {
		if !has(g, filter, id) {
			return false
		}
	}
	for _, s := range seen {
		if !has(s.Kept, filter, id) {
			return false
		}
	}
	return true
}

func (h *history) keptEverything(seen []*Step) bool {
	all := h.served.IsEverything() && h.interrupted.IsEmpty()
	for _, g := range h.pending {
		all = all && g.IsEverything()
	}
	for _, s := range seen {
		all = all && s.Kept.IsEverything()
	}
	return all
}

func has(g authz.Grants, filter int, id []byte) bool {
	return g.IsEverything() || g.Set(filter).HasBytes(id)
}

// held reports whether the reader may hold the row of a message that no snapshot has seen.
func (h *history) held(rule *Rule, of column) (bool, error) {
	held, err := rule.Permits(h.served, of)
	if err != nil || held {
		return held, err
	}
	return rule.permitsAny(h.pending, of)
}
