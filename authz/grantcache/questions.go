package grantcache

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// questions are the queries that are kept: one for each question, as long as it has a
// reader and for a time after that, and no more than there is room for.
type questions struct {
	shards  *shards
	space   *space
	entries *entries

	made atomic.Int64 // when room was last made, in nanoseconds since 1970
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
		qs.makeRoom(time.Now())
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

// makeRoomEvery is how often room is made at most: it goes through all queries.
const makeRoomEvery = time.Second

// makeRoom ends the queries that have no reader, if it has not just been done.
func (qs *questions) makeRoom(now time.Time) {
	last := qs.made.Load()
	if now.UnixNano()-last >= int64(makeRoomEvery) && qs.made.CompareAndSwap(last, now.UnixNano()) {
		qs.dropIdle(0)
	}
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
