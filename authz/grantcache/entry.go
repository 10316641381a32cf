package grantcache

import (
	"encoding/json"
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

// heard is what the watch brought that may concern the entry.
type heard struct {
	// whole numbers the newest touch of the answer as a whole. A reader who wants the
	// answer anew touches it too.
	whole   uint64
	wholeAt time.Time

	// objects of a lookup that were touched one by one and are not answered yet.
	objects map[string]touch

	since time.Time // of the oldest touch that is not answered; zero if there is none
}

// answered moves on since, when a call was answered. What the call left came after it
// began, unless a job has still to answer it.
func (h *heard) answered(k *call, isDirty bool) {
	if !isDirty {
		h.since = time.Time{}
		return
	}
	for _, t := range h.objects {
		if !k.asks.whole && (t.job != nil || t.number <= k.number) {
			return
		}
	}
	if !h.since.IsZero() && h.since.Before(k.began) {
		h.since = k.began
	}
}

// touch is one object that may have changed.
type touch struct {
	number      uint64
	at          time.Time
	interrupted bool // the entry held it when a relationship of it was deleted
	job         *job // that will answer it; nil: the entry's own call does
}

// calls is what was asked of SpiceDB for the entry. A ticket is the number of the newest
// touch at some moment: the answer is good for a reader whose ticket is covered.
type calls struct {
	covered uint64        // touches up to this one were answered, but for heard.objects
	failed  uint64        // a call that began after this touch failed
	err     error         // of that call
	done    chan struct{} // closed and replaced when a call ends

	queued, running bool
	urgent          bool // a reader is blocked on it
	again           ask  // to be asked once more, see rechecks
	notBefore       time.Time
}

// ask is what a call asks: everything, or some objects.
type ask struct {
	whole   bool
	objects map[string]struct{}
}

func (a *ask) isEmpty() bool { return !a.whole && len(a.objects) == 0 }

func (a *ask) add(b ask) {
	a.whole = a.whole || b.whole
	for id := range b.objects {
		a.addObject(id)
	}
}

func (a *ask) addObject(id string) {
	if a.objects == nil {
		a.objects = make(map[string]struct{})
	}
	a.objects[id] = struct{}{}
}

// value is the entry's answer.
type value struct {
	valid   bool
	set     *authz.GrantSet // of a lookup
	held    bool            // of a check
	failure error           // Unanswerable: SpiceDB cannot evaluate it
	asked   time.Time       // when the call began that the answer as a whole is of

	token   authz.ZedToken // the revision of the last call that confirmed it
	tokenAt time.Time
	answers answers // of single objects
}

// contextKey spells a caveat context so that equal ones are spelled alike.
func contextKey(values map[string]any, clock []string) (string, error) {
	if len(values) == 0 && len(clock) == 0 {
		return "", nil
	}
	text, err := json.Marshal([]any{values, clock}) // which sorts the keys of maps
	return string(text), err
}

// depend returns the entry of a key, which from now on a query depends on. The caller
// holds the shard's lock.
func (c *Cache) depend(q *query, p *permission, resource string) *entry {
	s := q.shard
	key := entryKey{subject: q.q.Subject.ObjectRef, permission: p.permissionKey, resource: resource, values: q.values}
	e, ok := s.entries[key]
	if !ok {
		e = &entry{
			entryKey: key, shard: s, permission: p, context: q.q.Context, clock: q.q.Clock,
			queries: make(map[*query]struct{}),
			heard:   heard{whole: c.touches.Add(1), wholeAt: p.lastTouched()},
			calls:   calls{done: make(chan struct{})},
		}
		s.add(e)
		c.metrics.entries.Inc()
	}
	e.queries[q] = struct{}{}
	return e
}

// undepend ends that a query depends on an entry. The caller holds the shard's lock.
func (c *Cache) undepend(q *query, e *entry) {
	delete(e.queries, q)
	if len(e.queries) > 0 {
		return
	}
	e.shard.remove(e)
	c.metrics.entries.Dec()
	c.space.sets.Add(-int64(e.value.set.Size()))
	c.losses.drop(e)
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

// isDirty reports whether the answer may have changed since it was asked for.
func (e *entry) isDirty() bool { return e.heard.whole > e.calls.covered || len(e.heard.objects) > 0 }

// ticket is the number of the newest touch that is not answered, or of the last one.
func (e *entry) ticket() uint64 {
	newest := e.heard.whole
	for _, t := range e.heard.objects {
		newest = max(newest, t.number)
	}
	return newest
}

// isSettled reports whether the answer is good for a ticket.
func (e *entry) isSettled(ticket uint64) bool {
	if !e.value.valid || e.heard.whole > e.calls.covered && e.calls.covered < ticket {
		return false
	}
	for _, t := range e.heard.objects {
		if t.number <= ticket {
			return false
		}
	}
	return true
}

// isVolatile reports whether the answer may change without an event: with the time, or
// when a relationship expires.
func (e *entry) isVolatile() bool { return len(e.clock) > 0 || e.permission.dependencies().Expiring }

// unanswerableFor is how long SpiceDB is not asked again what it could not evaluate.
const unanswerableFor = 5 * time.Second

// isRefused reports whether SpiceDB could not evaluate the answer a moment ago.
func (e *entry) isRefused(now time.Time) bool {
	return e.value.failure != nil && now.Sub(e.value.asked) < unanswerableFor
}

// check is the question that the entry answers about one object.
func (e *entry) check(id string, now time.Time) authz.Check {
	return authz.Check{
		Subject:    e.subject,
		Resource:   authz.ObjectRef{Type: e.permission.definition, ID: id},
		Permission: e.permission.name,
		Context:    contextAt(e.context, e.clock, now),
	}
}

func contextAt(values map[string]any, clock []string, now time.Time) map[string]any {
	if len(clock) == 0 {
		return values
	}
	all := make(map[string]any, len(values)+len(clock))
	for name, v := range values {
		all[name] = v
	}
	for _, name := range clock {
		all[name] = now.UTC().Format(time.RFC3339)
	}
	return all
}
