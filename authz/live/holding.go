package live

import (
	"encoding/json"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// holding is one answer that is kept current: the ids that a subject reaches, or
// whether it holds a permission on one object. The keeper's lock guards it, but
// for what never changes.
//
// Every event that may change the answer, and everybody who wants it anew, draws
// a number: wanted. A call to SpiceDB answers all numbers that were drawn before
// it began: covered. The answer is good for whoever's number is covered.
type holding struct {
	holdingKey
	permission *permission
	context    map[string]any
	clock      []string
	ids        *authz.IDs // of a lookup

	lineages map[*lineage]struct{} // who rests on it

	// touched is when the watch last told of a change that may concern the answer, or
	// could have concerned it before there was one.
	touched time.Time

	wanted, covered, failed uint64
	err                     error         // of the call that failed
	done                    chan struct{} // closed and replaced when a call ends

	whole     bool                // the next call asks for everything,
	resources map[string]struct{} // or for these objects alone
	urgent    bool                // somebody waits for it
	queued    bool
	running   bool
	paused    bool
	notBefore time.Time // a change asks again no sooner

	valid bool
	set   *authz.GrantSet // of a lookup
	held  bool            // of a check
	asked time.Time       // when the call began that valid's value rests on, as a whole

	flipped uint64 // the version of a check's last change
	since   uint64 // from this version on, all changes are in changes
	changes []change
	flicker flicker
}

// holdingKey tells holdings apart. A check has a resource, a lookup has none.
type holdingKey struct {
	subject    authz.ObjectRef
	permission permissionKey
	resource   string // the id of the object that is checked
	values     string // of the caveat context
}

func (k *holdingKey) isLookup() bool { return k.resource == "" }

// change is one change of a holding's set.
type change struct {
	version      uint64
	gained, lost *authz.GrantSet
	size         int // in bytes, about
}

// contextKey spells a caveat context so that equal ones are spelled alike.
func contextKey(values map[string]any, clock []string) (string, error) {
	if len(values) == 0 && len(clock) == 0 {
		return "", nil
	}
	text, err := json.Marshal([]any{values, clock}) // which sorts the keys of maps
	return string(text), err
}

// hold returns the holding of a key, which from now on the lineage rests on. The
// caller holds the lock.
func (k *Keeper) hold(l *lineage, p *permission, resource string) *holding {
	key := holdingKey{subject: l.q.Subject.ObjectRef, permission: p.permissionKey, resource: resource, values: l.values}
	h, ok := k.holdings[key]
	if !ok {
		h = &holding{
			holdingKey: key, permission: p, context: l.q.Context, clock: l.q.Clock,
			lineages: make(map[*lineage]struct{}), done: make(chan struct{}), touched: p.touched,
		}
		if h.isLookup() {
			h.ids = k.idsOf(p.definition)
		}
		k.holdings[key] = h
		if p.holders[key.subject] == nil {
			p.holders[key.subject] = make(map[*holding]struct{})
		}
		p.holders[key.subject][h] = struct{}{}
		k.metrics.holdings.Inc()
	}
	h.lineages[l] = struct{}{}
	return h
}

// letGo ends that a lineage rests on a holding. The caller holds the lock.
func (k *Keeper) letGo(l *lineage, h *holding) {
	delete(h.lineages, l)
	if len(h.lineages) > 0 {
		return
	}
	delete(k.holdings, h.holdingKey)
	p := h.permission
	delete(p.holders[h.subject], h)
	if len(p.holders[h.subject]) == 0 {
		delete(p.holders, h.subject)
	}
	k.metrics.holdings.Dec()
}

// inUse reports whether anybody waits for changes of the holding.
func (h *holding) inUse() bool {
	for l := range h.lineages {
		if l.leases > 0 {
			return true
		}
	}
	return false
}

// volatile reports whether the answer may change without an event: with the time,
// or when a relationship expires.
func (h *holding) volatile() bool { return len(h.clock) > 0 || h.permission.deps.Expiring }

// check is the question that the holding answers about one object.
func (h *holding) check(id string, now time.Time) authz.Check {
	return authz.Check{
		Subject:    h.subject,
		Resource:   authz.ObjectRef{Type: h.permission.definition, ID: id},
		Permission: h.permission.name,
		Context:    h.contextAt(now),
	}
}

func (h *holding) contextAt(now time.Time) map[string]any {
	if len(h.clock) == 0 {
		return h.context
	}
	values := make(map[string]any, len(h.context)+len(h.clock))
	for name, v := range h.context {
		values[name] = v
	}
	for _, name := range h.clock {
		values[name] = now.UTC().Format(time.RFC3339)
	}
	return values
}

// settle puts a new value in place of the old one, and tells whom that concerns.
// The caller holds the lock.
func (k *Keeper) settle(h *holding, set *authz.GrantSet, held bool) {
	if !h.valid {
		k.version++
		h.valid, h.set, h.held, h.since = true, set, held, k.version
		h.changes = nil
		k.tell(h)
		return
	}
	if h.isLookup() {
		k.settleSet(h, set)
	} else {
		k.settleCheck(h, held)
	}
}

func (k *Keeper) settleCheck(h *holding, held bool) {
	changed := held != h.held
	flickered := h.flicker.takeUnasked() && held // what was not held in the end was told to nobody
	if !changed && !flickered {
		return
	}
	k.version++
	h.held, h.flipped = held, k.version
	k.settled(h, changed)
}

func (k *Keeper) settleSet(h *holding, set *authz.GrantSet) {
	c := change{gained: set.Difference(h.set), lost: h.set.Difference(set)}
	changed := c.gained.Len() > 0 || c.lost.Len() > 0
	h.set = set
	if flickered := h.flicker.take(h).Difference(c.gained); flickered.Len() > 0 {
		c.gained, c.lost = c.gained.Union(flickered), c.lost.Union(flickered)
	} else if !changed {
		return
	}
	k.version++
	c.version = k.version
	c.size = c.gained.Size() + c.lost.Size()
	h.changes = append(h.changes, c)
	k.history.add(h, c)
	if changed {
		k.metrics.changes.Inc()
	}
	k.settled(h, changed)
}

// settled tells of a version: at once where the value changed. Where it flickered,
// nobody has to hear of it now; with what they are told next is soon enough.
func (k *Keeper) settled(h *holding, changed bool) {
	if changed {
		h.flicker.seen()
		k.tell(h)
		return
	}
	for l := range h.lineages {
		l.stale = true
	}
}

// forgetPast says that changes before now are not known. The caller holds the
// lock.
func (k *Keeper) forgetPast(h *holding) {
	k.version++
	h.since, h.changes = k.version, nil
}

// tell wakes whoever rests on the holding. The caller holds the lock.
func (k *Keeper) tell(h *holding) {
	for l := range h.lineages {
		l.tell()
	}
}
