package grantcache

import (
	"container/list"
	"slices"
	"sync"

	"github.com/shapegate/shapegate/authz"
)

// remembered are the grants that were decided on, by subject and fingerprint, so that a
// handle from before a pause can be compared with today's. They never take more bytes than
// the budget: the least recently used goes first.
type remembered struct {
	budget int

	mu       sync.Mutex
	bytes    int
	order    *list.List // of *pastGrants; the most recently used in front
	subjects map[authz.ObjectRef]map[authz.Fingerprint]*list.Element
}

type pastGrants struct {
	subject     authz.ObjectRef
	fingerprint authz.Fingerprint
	grants      authz.Grants
	size        int
}

func newRemembered(budget int) *remembered {
	return &remembered{
		budget: budget, order: list.New(),
		subjects: make(map[authz.ObjectRef]map[authz.Fingerprint]*list.Element),
	}
}

// put keeps the grants that a fingerprint of a subject stands for. Everything need not be
// kept.
func (r *remembered) put(subject authz.ObjectRef, f authz.Fingerprint, g authz.Grants) {
	if g.IsEverything() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.subjects[subject][f]; ok {
		r.order.MoveToFront(e)
		return
	}
	const overhead = 320
	p := &pastGrants{subject: subject, fingerprint: f, grants: g, size: overhead + len(subject.ID) + g.Size()}
	if r.subjects[subject] == nil {
		r.subjects[subject] = make(map[authz.Fingerprint]*list.Element)
	}
	r.subjects[subject][f] = r.order.PushFront(p)
	r.bytes += p.size
	for r.bytes > r.budget {
		r.forget(r.order.Back())
	}
}

// get returns the grants that a fingerprint of a subject stands for.
func (r *remembered) get(subject authz.ObjectRef, f authz.Fingerprint) (authz.Grants, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.subjects[subject][f]
	if !ok {
		return authz.Grants{}, false
	}
	r.order.MoveToFront(e)
	return e.Value.(*pastGrants).grants, true
}

// some returns some of the grants of a subject.
func (r *remembered) some(subject authz.ObjectRef, most int) (some []authz.Grants) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.subjects[subject] {
		if len(some) == most {
			break
		}
		some = append(some, e.Value.(*pastGrants).grants)
	}
	return some
}

// forgetTable forgets the grants with a set of a table.
func (r *remembered) forgetTable(ids *authz.IDs) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for e := r.order.Front(); e != nil; {
		next := e.Next()
		if slices.Contains(e.Value.(*pastGrants).grants.Tables(), ids) {
			r.forget(e)
		}
		e = next
	}
}

// forget forgets one. The caller holds the lock.
func (r *remembered) forget(e *list.Element) {
	p := r.order.Remove(e).(*pastGrants)
	r.bytes -= p.size
	if delete(r.subjects[p.subject], p.fingerprint); len(r.subjects[p.subject]) == 0 {
		delete(r.subjects, p.subject)
	}
}

// size is what is remembered, in bytes, about.
func (r *remembered) size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.bytes)
}
