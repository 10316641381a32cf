package grantcache

import (
	"errors"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// questions are the queries that are kept: one for each question, as long as it has a
// reader and for a time after that, and no more than there is room for.
type questions struct {
	shards  *shards
	space   *space
	entries *entries
}

var errFull = errors.New("too many questions, or too much memory in grant sets, at the same time")

// join returns the query of a question, with one more reader. Errors are those of
// Cache.Subscribe.
func (qs *questions) join(question authz.Question) (*query, error) {
	if err := question.Validate(); err != nil {
		return nil, err
	}
	values, err := contextKey(question.Context, question.Clock)
	if err != nil {
		return nil, authz.E(authz.Invalid, "caveat context", err)
	}
	key := queryKey(&question, values)
	s := qs.shards.of(question.Subject.ObjectRef)
	if qs.space.isFull() {
		qs.dropIdle(0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.queries[key]
	if !ok {
		if qs.space.isFull() {
			return nil, authz.E(authz.Unavailable, "subscribe", errFull)
		}
		q = &query{q: question, key: key, values: values, shard: s, changed: make(chan struct{}), last: composed{isStale: true}}
		s.queries[key] = q
		qs.space.questions.Add(1)
	}
	q.readers++
	return q, nil
}

// dropIdle ends the queries that have had no reader for a time.
func (qs *questions) dropIdle(idle time.Duration) {
	now := time.Now()
	qs.shards.each(func(s *shard) {
		for _, q := range s.queries {
			if q.readers == 0 && now.Sub(q.idle) >= idle {
				delete(s.queries, q.key)
				qs.space.questions.Add(-1)
				qs.entries.leave(q)
			}
		}
	})
}
