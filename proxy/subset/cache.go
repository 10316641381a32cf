package subset

import (
	"crypto/sha256"
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	pg "github.com/pganalyze/pg_query_go/v6"
)

// statement is what the text of a where alone says, whatever its parameters and the
// columns are.
type statement struct {
	tree *pg.Node // read by many at once, and not changed

	mu sync.Mutex
	// survived are the hashes of the prints that survives found good. One text has
	// few: they differ where a parameter is no value of its column's type.
	survived map[[sha256.Size]byte]bool
}

const maxSurvived = 16

// survives is survives, done once for each print.
func (s *statement) survives(printed string) error {
	sum := sha256.Sum256([]byte(printed))
	s.mu.Lock()
	known := s.survived[sum]
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := survives(printed); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.survived) < maxSurvived {
		s.survived[sum] = true
	}
	return nil
}

// statements are the wheres that were parsed last. It is a memo of a pure function,
// and therefore one for the process: applications have few wheres, and send each of
// them again and again with other parameters.
var statements = newStatementCache(32 << 20)

// statementCache keeps statements up to a number of bytes, those that were asked
// for last.
type statementCache struct {
	mu     sync.Mutex
	lru    *simplelru.LRU[string, *statement]
	bytes  int
	budget int
}

func newStatementCache(budget int) *statementCache {
	c := &statementCache{budget: budget}
	// The number of entries is bounded by their bytes. An error would be of a size
	// below 1.
	c.lru, _ = simplelru.NewLRU(math.MaxInt, func(sql string, _ *statement) { c.bytes -= statementBytes(sql) })
	return c
}

// statementBytes is about what a statement takes in memory: a tree takes 40 to 100
// bytes for each byte of text.
func statementBytes(sql string) int { return 1024 + 101*len(sql) }

// parse returns the statement of a where. Texts that are refused are not kept.
func (c *statementCache) parse(sql string) (*statement, error) {
	if s, ok := c.get(sql); ok {
		return s, nil
	}
	if err := checkTokens("where", sql, maxWhere); err != nil {
		return nil, err
	}
	tree, err := parseExpression(sql)
	if err != nil {
		return nil, err
	}
	s := &statement{tree: tree, survived: make(map[[sha256.Size]byte]bool)}
	c.add(sql, s)
	return s, nil
}

func (c *statementCache) get(sql string) (*statement, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lru.Get(sql)
}

func (c *statementCache) add(sql string, s *statement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lru.Contains(sql) { // by another request, meanwhile
		return
	}
	c.lru.Add(sql, s)
	c.bytes += statementBytes(sql)
	for c.bytes > c.budget {
		c.lru.RemoveOldest()
	}
}
