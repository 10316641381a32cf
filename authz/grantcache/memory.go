package grantcache

import (
	"container/list"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
)

// memory is what the cache keeps: how much of it, the tables of ids, and grants of the
// past.
type memory struct {
	c           *Cache
	cfg         *Config
	queries     atomic.Int64
	sets        atomic.Int64 // bytes of the current sets
	interrupted atomic.Int64 // bytes of interrupted ids

	mostInterrupted int64

	mu     sync.Mutex
	tables map[string]*authz.IDs // by resource type
	past   remembered
}

func (m *memory) init(c *Cache) {
	m.c, m.cfg = c, &c.cfg
	m.mostInterrupted = int64(c.cfg.Memory / 4)
	m.tables = make(map[string]*authz.IDs)
	m.past = remembered{
		budget: c.cfg.Memory - c.cfg.Memory/4, order: list.New(),
		subjects: make(map[authz.ObjectRef]map[authz.Fingerprint]*list.Element),
	}
}

// isFull reports whether there is no room for one more question.
func (m *memory) isFull() bool {
	return m.queries.Load() >= int64(m.cfg.Questions) || m.sets.Load()+int64(m.tableSize()) > int64(m.cfg.SetMemory)
}

// ids returns the table of a resource type's ids.
func (m *memory) ids(resourceType string) *authz.IDs {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids, ok := m.tables[resourceType]
	if !ok {
		ids = authz.NewIDs(m.cfg.Key)
		m.tables[resourceType] = ids
	}
	return ids
}

func (m *memory) tableSize() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ids := range m.tables {
		n += ids.Size()
	}
	return n
}

func (m *memory) rememberedSize() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.past.size
}

// remember keeps the grants that a fingerprint of a subject stands for.
func (m *memory) remember(subject authz.ObjectRef, f authz.Fingerprint, g authz.Grants) {
	if g.IsEverything() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.past.put(subject, f, g)
}

// recall returns the grants that a fingerprint of a subject stands for.
func (m *memory) recall(subject authz.ObjectRef, f authz.Fingerprint) (authz.Grants, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.past.subjects[subject][f]
	if !ok {
		return authz.Grants{}, false
	}
	m.past.order.MoveToFront(e)
	return e.Value.(*pastGrants).grants, true
}

// allOf returns some of the grants that are remembered of a subject.
func (m *memory) allOf(subject authz.ObjectRef, most int) (all []authz.Grants) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.past.subjects[subject] {
		if len(all) == most {
			break
		}
		all = append(all, e.Value.(*pastGrants).grants)
	}
	return all
}

// remembered are the grants that were decided on, by fingerprint, so that a handle from
// before a pause can be compared with today's. The least recently used goes first. The
// memory's lock guards it.
type remembered struct {
	budget, size int
	order        *list.List // of *pastGrants; the most recently used in front
	subjects     map[authz.ObjectRef]map[authz.Fingerprint]*list.Element
}

type pastGrants struct {
	subject     authz.ObjectRef
	fingerprint authz.Fingerprint
	grants      authz.Grants
	size        int
}

func (r *remembered) put(subject authz.ObjectRef, f authz.Fingerprint, g authz.Grants) {
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
	r.size += p.size
	for r.size > r.budget {
		r.forget(r.order.Back())
	}
}

func (r *remembered) forget(e *list.Element) {
	p := r.order.Remove(e).(*pastGrants)
	r.size -= p.size
	if delete(r.subjects[p.subject], p.fingerprint); len(r.subjects[p.subject]) == 0 {
		delete(r.subjects, p.subject)
	}
}

// minTable is the number of ids below which a table is left alone.
const minTable = 1024

// collectIDs replaces the tables in which most ids are in no current set. The
// current sets move to the new table, each for itself. A set that a reader still has
// keeps its own table, and works as before. Grants of the past go with the old table.
func (m *memory) collectIDs() {
	m.mu.Lock()
	old := make(map[string]*authz.IDs)
	for resourceType, ids := range m.tables {
		if ids.Len() >= minTable {
			old[resourceType] = ids
		}
	}
	m.mu.Unlock()
	for resourceType, ids := range old {
		if live := m.liveIDs(ids); 2*live < ids.Len() {
			m.replace(resourceType, ids)
			m.moveSets(ids, m.ids(resourceType))
		}
	}
}

// liveIDs counts the ids of a table that current sets hold.
func (m *memory) liveIDs(ids *authz.IDs) int {
	var sets []*authz.GrantSet
	m.c.all(func(s *shard) {
		for _, e := range s.entries {
			if e.value.set.IDs() == ids {
				sets = append(sets, e.value.set)
			}
		}
	})
	var u authz.Union
	for _, set := range sets {
		u.Add(set)
	}
	return u.Len()
}

func (m *memory) replace(resourceType string, old *authz.IDs) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tables[resourceType] = authz.NewIDs(m.cfg.Key)
	for e := m.past.order.Front(); e != nil; {
		next := e.Next()
		if slices.Contains(e.Value.(*pastGrants).grants.Tables(), old) {
			m.past.forget(e)
		}
		e = next
	}
}

// moveSets has the current sets of a table use another. A lookup that began before may
// still bring a set of the old one: the next collection moves it.
func (m *memory) moveSets(from, to *authz.IDs) {
	var entries []*entry
	m.c.all(func(s *shard) {
		for _, e := range s.entries {
			if e.value.set.IDs() == from {
				entries = append(entries, e)
			}
		}
	})
	for _, e := range entries {
		e.shard.mu.Lock()
		set := e.value.set
		e.shard.mu.Unlock()
		moved := set.In(to)
		e.shard.mu.Lock()
		if e.value.set == set {
			m.c.refresher.setValue(e, moved)
		}
		e.shard.mu.Unlock()
	}
}
