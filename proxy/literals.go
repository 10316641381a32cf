package proxy

import (
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/subset"
)

// filterArray is a filter as SQL has it: the column's value is one of an array of ids.
type filterArray struct {
	column  string
	literal string // Postgres' array literal
}

func newFilterArray(column string, ids []string) filterArray {
	return filterArray{column, subset.ArrayLiteral(slices.Values(ids))}
}

// literals keeps the array literals of grant sets. A person with 200,000 ids asks for a
// subset at every scroll, and its literal has 8 MB.
type literals struct {
	mu    sync.Mutex
	bytes int
	lru   *simplelru.LRU[literalKey, filterArray]
}

// literalKey names a grant set, the type that its ids have to be values of, and the
// column. The set is found by its pointer: sets do not change.
type literalKey struct {
	set        *authz.GrantSet
	column     string
	columnType string
}

const (
	literalBytes = 64 << 20 // of all literals
	literalCount = 10_000
	// smallSet is how many ids a set has at most whose literal is not worth keeping.
	smallSet = 256
)

func newLiterals() *literals {
	l := &literals{}
	l.lru, _ = simplelru.NewLRU(literalCount, func(_ literalKey, f filterArray) { l.bytes -= len(f.literal) }) // the size is positive
	return l
}

// of returns the literal of a set, and makes it if it is not kept.
func (l *literals) of(s *shape, column string, set *authz.GrantSet) filterArray {
	if set.Len() <= smallSet {
		return newFilterArray(column, s.validIDs(column, set))
	}
	key := literalKey{set, column, s.table.typeOf(column)}
	l.mu.Lock()
	f, ok := l.lru.Get(key)
	l.mu.Unlock()
	if ok {
		return f
	}
	f = newFilterArray(column, s.validIDs(column, set))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lru.Contains(key) {
		return f
	}
	l.lru.Add(key, f)
	l.bytes += len(f.literal)
	for l.bytes > literalBytes {
		l.lru.RemoveOldest()
	}
	return f
}
