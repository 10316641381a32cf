// Package recent keeps the values that were used last, within a budget of bytes.
//
// The budget bounds what a caller can make the process remember, whatever the
// size and the number of the values. A value that is evicted must be one that
// can be had again.
package recent

import (
	"container/list"
	"sync"
)

// Map is a map that evicts the values that were not used for longest. It is safe
// for concurrent use.
type Map[K comparable, V any] struct {
	budget int

	mu    sync.Mutex
	used  int
	order list.List // of *entry[K, V], the last used first
	items map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
	size  int
}

// overhead is what an entry takes besides its value, in bytes: the entry, its
// place in the list, and its place in the map.
const overhead = 256

// New returns an empty map that keeps at most budget bytes.
func New[K comparable, V any](budget int) *Map[K, V] {
	return &Map[K, V]{budget: budget, items: make(map[K]*list.Element)}
}

// Get returns the value of key, if it is still there, and counts as a use of it.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.items[key]
	if !ok {
		return value, false
	}
	m.order.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, true
}

// Put sets the value of key, which takes size bytes, and evicts others until the
// budget holds. A value that is larger than the budget is not kept.
func (m *Map[K, V]) Put(key K, value V, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.items[key]; ok {
		m.remove(e)
	}
	size += overhead
	if size > m.budget {
		return
	}
	m.items[key] = m.order.PushFront(&entry[K, V]{key, value, size})
	for m.used += size; m.used > m.budget; {
		m.remove(m.order.Back())
	}
}

// Bytes returns how much is kept.
func (m *Map[K, V]) Bytes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

func (m *Map[K, V]) remove(e *list.Element) {
	gone := m.order.Remove(e).(*entry[K, V])
	delete(m.items, gone.key)
	m.used -= gone.size
}

// Size returns about how many bytes a decoded JSON value takes.
func Size(value any) int {
	const word, slot = 16, 64 // of an interface, and of one place in a map
	size := word
	switch value := value.(type) {
	case string:
		size += len(value) + word
	case []any:
		for _, v := range value {
			size += Size(v)
		}
	case map[string]any:
		for k, v := range value {
			size += slot + len(k) + Size(v)
		}
	}
	return size
}
