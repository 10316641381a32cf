package live

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// lineage is one question and its answers over time. It lasts as long as somebody
// holds a lease on it, and for Config.Idle after that. The keeper's lock guards
// it, but for the question.
type lineage struct {
	key    string
	q      authz.Question
	values string // the question's caveat context, see contextKey
	id     uint64 // tells its marks from those of other questions and other keepers

	gate, unrestricted *holding
	filters            []*holding // nil until they had to be asked for

	leases int
	idle   time.Time // since when nobody holds a lease

	changed chan struct{} // closed and replaced when there is something to decide anew
	stale   bool          // decision is not what the holdings say
	last    authz.Decision
	fresh   [4]authz.ZedToken // some tokens that the holdings are as fresh as
}

// tell wakes whoever waits. The caller holds the keeper's lock.
func (l *lineage) tell() {
	l.stale = true
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *lineage) holdings() []*holding {
	all := make([]*holding, 0, 2+len(l.filters))
	for _, h := range append([]*holding{l.gate, l.unrestricted}, l.filters...) {
		if h != nil {
			all = append(all, h)
		}
	}
	return all
}

// Open returns a lease on a question. It asks nobody anything yet. Errors are
// Invalid: a subject that SpiceDB would not accept, a rule that guards nothing; and
// Unavailable where too many questions are held. The caller releases the lease.
func (k *Keeper) Open(q authz.Question) (authz.Lease, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	values, err := contextKey(q.Context, q.Clock)
	if err != nil {
		return nil, authz.E(authz.Invalid, "caveat context", err)
	}
	key := lineageKey(&q, values)
	k.mu.Lock()
	defer k.mu.Unlock()
	l, ok := k.lineages[key]
	if !ok && !k.makeRoom() {
		return nil, authz.E(authz.Unavailable, "open", errFull)
	}
	if !ok {
		l = &lineage{key: key, q: q, values: values, id: k.epoch ^ hashOf(key), changed: make(chan struct{}), stale: true}
		k.lineages[key] = l
	}
	l.leases++
	return &Lease{k: k, l: l}, nil
}

var errFull = errors.New("too many questions are held at the same time")

// makeRoom makes sure that one more question can be kept, by letting go of those
// that nobody holds. The caller holds the lock.
func (k *Keeper) makeRoom() bool {
	if len(k.lineages) < k.cfg.Questions {
		return true
	}
	for _, l := range k.lineages {
		if l.leases == 0 {
			k.drop(l)
		}
	}
	return len(k.lineages) < k.cfg.Questions
}

// lineageKey spells a question so that equal questions, and no others, are spelled
// alike. No part can hold the separator: names and ids by SpiceDB's rules, and
// JSON by its own. The label is last.
func lineageKey(q *authz.Question, values string) string {
	key := q.Subject.String() + "\x00" + values
	for _, r := range []*authz.Requirement{q.Rule.Gate, q.Rule.Unrestricted} {
		key += "\x00"
		if r != nil {
			key += r.Resource.String() + "#" + r.Permission
		}
	}
	for _, f := range q.Rule.Filters {
		key += "\x00" + f.ResourceType + "#" + f.Permission
	}
	return key + "\x00\x00" + q.Rule.Label
}

// isAsFreshAs reports whether the holdings have seen what a token's revision has.
// The caller holds the keeper's lock.
func (l *lineage) isAsFreshAs(t authz.ZedToken) bool {
	return t == "" || slices.Contains(l.fresh[:], t)
}

// becameAsFreshAs notes that they have. The caller holds the keeper's lock.
func (l *lineage) becameAsFreshAs(t authz.ZedToken) {
	if !l.isAsFreshAs(t) {
		copy(l.fresh[1:], l.fresh[:])
		l.fresh[0] = t
	}
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}

// checks returns the holdings of the gate and of unrestricted, either of which may
// be nil.
func (k *Keeper) checks(ctx context.Context, l *lineage) (gate, unrestricted *holding, err error) {
	if gate, err = k.checkOf(ctx, l, l.q.Rule.Gate, &l.gate); err != nil {
		return nil, nil, err
	}
	// Without a filter the gate is all that is asked: nobody is less than
	// unrestricted.
	if len(l.q.Rule.Filters) > 0 {
		unrestricted, err = k.checkOf(ctx, l, l.q.Rule.Unrestricted, &l.unrestricted)
	}
	return gate, unrestricted, err
}

func (k *Keeper) checkOf(ctx context.Context, l *lineage, r *authz.Requirement, slot **holding) (*holding, error) {
	if r == nil {
		return nil, nil //nolint:nilnil // nothing is required, so nothing is held
	}
	p, err := k.permissionOf(ctx, permissionKey{r.Resource.Type, r.Permission})
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if *slot == nil {
		*slot = k.hold(l, p, r.Resource.ID)
	}
	return *slot, nil
}

// lookups returns the holdings of the filters. Filters that differ in nothing that
// SpiceDB knows of (a shape may compare two columns with the same permission)
// share one.
func (k *Keeper) lookups(ctx context.Context, l *lineage) ([]*holding, error) {
	permissions := make([]*permission, len(l.q.Rule.Filters))
	for i, f := range l.q.Rule.Filters {
		var err error
		if permissions[i], err = k.permissionOf(ctx, permissionKey{f.ResourceType, f.Permission}); err != nil {
			return nil, err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.filters == nil {
		l.filters = make([]*holding, len(permissions))
		for i, p := range permissions {
			l.filters[i] = k.hold(l, p, "")
		}
	}
	return l.filters, nil
}

// drop ends a lineage that nobody holds a lease on. The caller holds the lock.
func (k *Keeper) drop(l *lineage) {
	delete(k.lineages, l.key)
	for _, h := range l.holdings() {
		k.letGo(l, h)
	}
}
