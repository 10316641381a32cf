package authz

import (
	"hash/maphash"
	"math"
	"strings"
	"sync"
	"sync/atomic"
)

// IDs numbers the object ids of one resource type, densely from 0: bitmaps want
// small integers, ids are strings. It also keeps each id's share of a
// fingerprint, which is costly to compute.
//
// An id gets a number when a set that holds it is built, and keeps it as long as
// the table lives. Asking whether a set has an id never adds one: sets are asked
// for every row of a table, and only what SpiceDB granted to a person may take
// memory, about 100 bytes and the id itself.
//
// It is safe for concurrent use. Reading takes no lock, since every row of every
// answer is looked up here.
type IDs struct {
	key  FingerprintKey
	seed maphash.Seed

	// table is replaced as a whole when it grows. A slot goes from nil to an
	// entry once and then stays, so a reader may miss an entry that is being
	// added, and never sees a wrong one. A set that was built
	// from an entry was handed out after the entry was in the table.
	table atomic.Pointer[idTable]

	mu      sync.Mutex
	entries []*idEntry // by number; only ever appended to, under mu
	size    int        // in bytes, about
}

type idEntry struct {
	id      string
	hash    uint64
	element elementSum
	number  uint32
}

// idTable is a hash table with linear probing. The number of slots is a power of
// two and at most half of them are taken, so a probe ends.
type idTable struct {
	slots []atomic.Pointer[idEntry]
}

const minIDSlots = 64

// NewIDs returns an empty table. Sets of tables with the same key have the same
// fingerprints.
func NewIDs(key FingerprintKey) *IDs {
	ids := &IDs{key: key, seed: maphash.MakeSeed()}
	ids.table.Store(newIDTable(minIDSlots))
	return ids
}

// Len returns how many ids have a number.
func (ids *IDs) Len() int {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	return len(ids.entries)
}

// Size returns how much memory the table takes, in bytes, about.
func (ids *IDs) Size() int {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	return ids.size
}

// Lookup returns the number of an id, if it has one.
func (ids *IDs) Lookup(id string) (uint32, bool) {
	return numberOf(ids.table.Load(), maphash.String(ids.seed, id), id)
}

// LookupBytes is Lookup for an id that is not a string yet. It does not keep id,
// and does not allocate.
func (ids *IDs) LookupBytes(id []byte) (uint32, bool) {
	return numberOf(ids.table.Load(), maphash.Bytes(ids.seed, id), id)
}

// intern returns the entry of an id, and makes it if there is none.
func (ids *IDs) intern(id string) *idEntry {
	hash := maphash.String(ids.seed, id)
	if e := find(ids.table.Load(), hash, id); e != nil {
		return e
	}
	element := ids.key.element(id) // before the lock: it is most of the work

	ids.mu.Lock()
	defer ids.mu.Unlock()
	t := ids.table.Load()
	if e := find(t, hash, id); e != nil {
		return e
	}
	if len(ids.entries) > math.MaxUint32 {
		// Out of reach: the entries alone would be 400 GB.
		panic("authz: more than 2^32 object ids of one type")
	}
	// The id may be a piece of something much larger, such as a message.
	e := &idEntry{id: strings.Clone(id), hash: hash, element: element, number: uint32(len(ids.entries))}
	if 2*(len(ids.entries)+1) > len(t.slots) {
		t = t.grown(ids.entries)
		t.put(e)
		ids.table.Store(t)
	} else {
		t.put(e)
	}
	ids.entries = append(ids.entries, e)
	const overhead = 96 // the entry, its pointers and its slots
	ids.size += overhead + len(id)
	return e
}

// all returns the entries by number: at least those that were interned before
// the call. The caller must not write to it.
func (ids *IDs) all() []*idEntry {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	return ids.entries
}

func newIDTable(slots int) *idTable {
	return &idTable{slots: make([]atomic.Pointer[idEntry], slots)}
}

func (t *idTable) grown(entries []*idEntry) *idTable {
	bigger := newIDTable(2 * len(t.slots))
	for _, e := range entries {
		bigger.put(e)
	}
	return bigger
}

func (t *idTable) put(e *idEntry) {
	mask := uint64(len(t.slots) - 1)
	for i := e.hash & mask; ; i = (i + 1) & mask {
		if t.slots[i].Load() == nil {
			t.slots[i].Store(e)
			return
		}
	}
}

func find[S ~string | ~[]byte](t *idTable, hash uint64, id S) *idEntry {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		e := t.slots[i].Load()
		if e == nil || e.hash == hash && e.id == string(id) {
			return e
		}
	}
}

func numberOf[S ~string | ~[]byte](t *idTable, hash uint64, id S) (uint32, bool) {
	if e := find(t, hash, id); e != nil {
		return e.number, true
	}
	return 0, false
}
