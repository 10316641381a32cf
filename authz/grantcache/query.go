package grantcache

import (
	"fmt"
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// query is one question and the entries that it depends on. It lasts as long as a reader
// is subscribed to it, and for Config.Idle after that. The shard's lock guards it, but
// for the question.
type query struct {
	q      authz.Question
	key    string
	values string // the question's caveat context, see contextKey
	shard  *shard // of its subject

	gate, unrestricted *entry
	filters            []*entry // nil until they had to be asked for

	readers int
	idle    time.Time // since when there is no reader
	changed chan struct{}
	last    composed
	fresh   freshTokens
}

// composed is the last decision, as long as the entries are as they were.
type composed struct {
	grants      authz.Grants
	fingerprint authz.Fingerprint
	isStale     bool
}

// queryKey spells a question so that equal questions, and no others, are spelled alike.
// No part can hold the separator: names and ids by SpiceDB's rules, and JSON by its own.
// The label is last.
func queryKey(q *authz.Question, values string) string {
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

// freshTokens are some tokens whose revisions the entries have seen, the newest first.
type freshTokens [4]authz.ZedToken

func (f *freshTokens) has(t authz.ZedToken) bool { return t == "" || slices.Contains(f[:], t) }

func (f *freshTokens) add(t authz.ZedToken) {
	if !f.has(t) {
		copy(f[1:], f[:])
		f[0] = t
	}
}

// notify wakes the readers. The caller holds the shard's lock.
func (q *query) notify() {
	q.last.isStale = true
	close(q.changed)
	q.changed = make(chan struct{})
}

// entries yields those that the query depends on so far. The caller holds the shard's lock.
func (q *query) entries(yield func(*entry) bool) {
	for _, e := range [...]*entry{q.gate, q.unrestricted} {
		if e != nil && !yield(e) {
			return
		}
	}
	for _, e := range q.filters {
		if !yield(e) {
			return
		}
	}
}

// seesAll reports whether no filter has to be asked: there is none, or the subject is
// unrestricted. The caller holds the shard's lock.
func (q *query) seesAll() bool {
	return len(q.q.Rule.Filters) == 0 || q.unrestricted != nil && q.unrestricted.value.held
}

// gateError is the error of a gate that does not hold, nil if it holds. The caller holds
// the shard's lock.
func (q *query) gateError() error {
	switch gate := q.gate; {
	case q.q.Rule.Gate == nil || gate != nil && gate.value.held:
		return nil
	case gate != nil && gate.value.failure != nil:
		return fmt.Errorf("gate: %w", gate.value.failure)
	default:
		r := q.q.Rule.Gate
		return authz.E(authz.Denied, "gate", fmt.Errorf("%s does not have %s on %s", q.q.Subject, r.Permission, r.Resource))
	}
}

// err is that of a decision which the entries do not permit, nil if they do. It is errAsk
// if an entry that is needed has no answer. The caller holds the shard's lock.
func (q *query) err() error {
	if q.gate == nil && q.q.Rule.Gate != nil {
		return errAsk
	}
	if err := q.gateError(); err != nil || q.seesAll() {
		return err
	}
	if q.filters == nil {
		return errAsk
	}
	for _, e := range q.filters {
		if e.value.failure != nil {
			return fmt.Errorf("filter %s: %w", e.permission, e.value.failure)
		}
		if !e.value.valid {
			return errAsk
		}
	}
	return nil
}

// grants are those that the entries say. The caller holds the shard's lock.
func (q *query) grants(seesAll bool) authz.Grants {
	if seesAll {
		return authz.Everything()
	}
	sets := make([]*authz.GrantSet, len(q.filters))
	for i, e := range q.filters {
		sets[i] = e.value.set
	}
	return authz.GrantsOf(sets...)
}

// today returns the grants as they are cached, if they are.
func (q *query) today() []authz.Grants {
	q.shard.mu.Lock()
	defer q.shard.mu.Unlock()
	if len(q.filters) == 0 || slices.ContainsFunc(q.filters, func(e *entry) bool { return e.value.set == nil }) {
		return nil
	}
	return []authz.Grants{q.grants(false)}
}

// nearby are the ids that changed lately, the newest first.
func (q *query) nearby() (ids []authz.NearID) {
	q.shard.mu.Lock()
	defer q.shard.mu.Unlock()
	for i, e := range q.filters {
		for _, id := range e.nearby() {
			ids = append(ids, authz.NearID{Filter: i, ID: id})
		}
	}
	return ids
}

// differing are the ids in which grants differ from those of today, if they are few.
func (q *query) differing(g authz.Grants) (ids []authz.NearID) {
	for _, today := range q.today() {
		for _, d := range []authz.Grants{today.Minus(g), g.Minus(today)} {
			for i := range q.q.Rule.Filters {
				if d.Set(i).Len() > authz.MostNear {
					continue
				}
				for id := range d.Set(i).All() {
					ids = append(ids, authz.NearID{Filter: i, ID: id})
				}
			}
		}
	}
	return ids[:min(len(ids), authz.MostNear)]
}
