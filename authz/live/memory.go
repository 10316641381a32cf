package live

import (
	"container/list"

	"github.com/shapegate/shapegate/authz"
)

// memory remembers what was decided, by name, so that a handle from before a
// pause, or from another replica, can still be compared with today's grants. The
// least recently used goes first. The keeper's lock guards it.
type memory struct {
	budget, size int
	entries      map[memoryKey]*list.Element
	order        *list.List // of *remembered; the most recently used in front
}

// memoryKey names a decision of one subject: nobody can name another's.
type memoryKey struct {
	subject authz.ObjectRef
	name    authz.Fingerprint
}

type remembered struct {
	key    memoryKey
	grants []*authz.GrantSet
	size   int
}

func newMemory(budget int) memory {
	return memory{budget: budget, entries: make(map[memoryKey]*list.Element), order: list.New()}
}

func (m *memory) put(key memoryKey, grants []*authz.GrantSet) {
	if e, ok := m.entries[key]; ok {
		m.order.MoveToFront(e)
		return
	}
	const overhead = 256
	r := &remembered{key: key, grants: grants, size: overhead}
	for _, g := range grants {
		r.size += g.Size()
	}
	m.entries[key] = m.order.PushFront(r)
	m.size += r.size
	for m.size > m.budget {
		oldest := m.order.Back()
		old := m.order.Remove(oldest).(*remembered)
		delete(m.entries, old.key)
		m.size -= old.size
	}
}

func (m *memory) get(key memoryKey) ([]*authz.GrantSet, bool) {
	e, ok := m.entries[key]
	if !ok {
		return nil, false
	}
	m.order.MoveToFront(e)
	return e.Value.(*remembered).grants, true
}
