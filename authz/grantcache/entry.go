package grantcache

import (
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// entryKey identifies an entry. A check has a resource, a lookup has none.
type entryKey struct {
	subject    authz.ObjectRef
	permission permissionKey
	resource   string // the id of the object that is checked
	values     string // of the caveat context, see contextKey
}

func (k *entryKey) isLookup() bool { return k.resource == "" }

// entry is one cached answer: the ids that a subject holds a permission on, or whether it
// holds it on one object. The shard's lock guards it, but for what never changes.
type entry struct {
	entryKey
	shard      *shard
	permission *permission
	context    map[string]any
	clock      []string
	queries    map[*query]struct{} // that depend on it

	heard heard
	calls calls
	value value
	past  past
}

// inUse reports whether a reader is subscribed to a query that depends on the entry.
func (e *entry) inUse() bool {
	for q := range e.queries {
		if q.readers > 0 {
			return true
		}
	}
	return false
}

// notify wakes the readers of the queries that depend on the entry.
func (e *entry) notify() {
	for q := range e.queries {
		q.notify()
	}
}

// isSettled reports whether the answer is good for a ticket, see tickets.
func (e *entry) isSettled(ticket uint64) bool { return e.value.valid && e.heard.isSettled(ticket) }

// isVolatile reports whether the answer may change without an event: with the time, or
// when a relationship expires.
func (e *entry) isVolatile() bool { return len(e.clock) > 0 || e.permission.dependencies().Expiring }

// check is the question that the entry answers about one object.
func (e *entry) check(id string, now time.Time) authz.Check {
	return authz.Check{
		Subject:    e.subject,
		Resource:   authz.ObjectRef{Type: e.permission.definition, ID: id},
		Permission: e.permission.name,
		Context:    contextAt(e.context, e.clock, now),
	}
}

// nearby are the ids of a lookup that changed lately, or are about to: what a set that was
// composed a moment ago, here or elsewhere, may differ in.
func (e *entry) nearby() (ids []string) {
	for id := range e.heard.objects {
		ids = append(ids, id)
	}
	for _, id := range slices.Backward(e.value.recent.ids) {
		ids = append(ids, id)
	}
	for _, a := range slices.Backward(e.value.answers.list) {
		ids = append(ids, a.id)
	}
	return ids
}
