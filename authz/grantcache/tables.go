package grantcache

import (
	"sync"

	"github.com/shapegate/shapegate/authz"
)

// tables are the tables of interned ids, one for each resource type.
type tables struct {
	key authz.FingerprintKey

	mu     sync.Mutex
	byType map[string]*authz.IDs
}

// of returns the table of a resource type, and makes it if there is none.
func (t *tables) of(resourceType string) *authz.IDs {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids, ok := t.byType[resourceType]
	if !ok {
		ids = authz.NewIDs(t.key)
		t.byType[resourceType] = ids
	}
	return ids
}

// replace begins a new, empty table of a resource type, and returns it. Sets of the old
// one keep it.
func (t *tables) replace(resourceType string) *authz.IDs {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := authz.NewIDs(t.key)
	t.byType[resourceType] = ids
	return ids
}

// withAtLeast returns the tables that have a number of ids or more, by resource type.
func (t *tables) withAtLeast(n int) map[string]*authz.IDs {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := make(map[string]*authz.IDs)
	for resourceType, ids := range t.byType {
		if ids.Len() >= n {
			found[resourceType] = ids
		}
	}
	return found
}

// size is what all tables take, in bytes, about.
func (t *tables) size() (n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ids := range t.byType {
		n += int64(ids.Size())
	}
	return n
}
