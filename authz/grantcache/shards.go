package grantcache

import (
	"hash/maphash"
	"sync"

	"github.com/shapegate/shapegate/authz"
)

// shards are the parts that the subjects are spread over, each with a lock of its own.
type shards struct {
	seed maphash.Seed
	list [64]*shard
}

// shard holds the queries and entries of some subjects. Its lock guards them and their
// indexes. It is held for a short time, never together with another shard's, and never
// while SpiceDB is asked.
type shard struct {
	mu           sync.Mutex
	queries      map[string]*query
	entries      map[entryKey]*entry
	bySubject    map[authz.ObjectRef]map[*entry]struct{}
	byPermission map[*permission]map[*entry]struct{}
}

func newShards() *shards {
	s := &shards{seed: maphash.MakeSeed()}
	for i := range s.list {
		s.list[i] = &shard{
			queries: make(map[string]*query), entries: make(map[entryKey]*entry),
			bySubject:    make(map[authz.ObjectRef]map[*entry]struct{}),
			byPermission: make(map[*permission]map[*entry]struct{}),
		}
	}
	return s
}

// of returns the shard of a subject.
func (s *shards) of(subject authz.ObjectRef) *shard {
	h := maphash.String(s.seed, subject.Type) ^ maphash.String(s.seed, subject.ID)
	return s.list[h%uint64(len(s.list))]
}

// each calls do with every shard, locked, one after the other.
func (s *shards) each(do func(*shard)) {
	for _, shard := range s.list {
		shard.mu.Lock()
		do(shard)
		shard.mu.Unlock()
	}
}

// entriesOf calls do with every entry of a permission, its shard locked.
func (s *shards) entriesOf(p *permission, do func(*entry)) {
	s.each(func(s *shard) {
		for e := range s.byPermission[p] {
			do(e)
		}
	})
}

// add adds an entry. The caller holds the lock.
func (s *shard) add(e *entry) {
	s.entries[e.entryKey] = e
	put(s.bySubject, e.subject, e)
	put(s.byPermission, e.permission, e)
	e.permission.entries.Add(1)
}

// remove removes an entry that add has added. The caller holds the lock.
func (s *shard) remove(e *entry) {
	delete(s.entries, e.entryKey)
	remove(s.bySubject, e.subject, e)
	remove(s.byPermission, e.permission, e)
	e.permission.entries.Add(-1)
}

func put[K comparable](index map[K]map[*entry]struct{}, key K, e *entry) {
	if index[key] == nil {
		index[key] = make(map[*entry]struct{})
	}
	index[key][e] = struct{}{}
}

func remove[K comparable](index map[K]map[*entry]struct{}, key K, e *entry) {
	if delete(index[key], e); len(index[key]) == 0 {
		delete(index, key)
	}
}
