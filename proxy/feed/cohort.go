package feed

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// View is the grants of a cohort: all rows of the feed, or those with a granted id in a
// column.
type View struct {
	All    bool
	Grants []Grant
}

// Grant makes the rows visible that have one of the ids in a column.
type Grant struct {
	Column int // an index of the columns of Feeds.Open
	IDs    *authz.GrantSet
}

// sees reports whether a message concerns the readers of a view, given the ids in its
// columns.
func (v *View) sees(numbered []ids) bool {
	for i := range v.Grants {
		if g := &v.Grants[i]; in(g.IDs, &numbered[g.Column]) {
			return true
		}
	}
	return false
}

// Cohort is the readers of a feed with equal grants, who are sent the same bytes. It is
// safe for concurrent use.
type Cohort struct {
	tail   *tail
	key    string
	view   View
	encode Encoder

	// The lock of the tail guards the rest.
	use     use
	block   *block // of the index; nil: it is woken for every message, or was removed
	matched uint64 // the last round of cohorts.concerned that found it
	waiters []*Waiter
	latest  latest
}

// Release ends the use of the cohort by one reader.
func (a *Cohort) Release() {
	a.tail.mu.Lock()
	defer a.tail.mu.Unlock()
	a.use.end(time.Now())
}

// Answer returns a part as the cohort is sent it. The part must be in memory. Readers of
// equal parts share one answer. Errors are of a malformed message.
func (a *Cohort) Answer(p *Part) (*Answer, error) {
	if p.response != nil {
		panic("feed: an answer is of a part in memory")
	}
	answer := p.answer
	if answer == nil || p.cohort != a {
		answer = a.answerOf(p)
	}
	if err := answer.fill(p, a.encode); err != nil {
		return nil, err
	}
	if !answer.counted.Swap(true) {
		a.count(answer)
	}
	return answer, nil
}

// answerOf returns the latest answer if it is of this part, or else an empty one. That
// is not shared if the part begins within a batch, or if its log is gone.
func (a *Cohort) answerOf(p *Part) *Answer {
	of, whole := p.span()
	a.tail.mu.Lock()
	defer a.tail.mu.Unlock()
	if !whole || !a.tail.cohorts.has(a) {
		return new(Answer)
	}
	return a.tail.cohorts.answers.of(a, of)
}

// count counts the memory of an answer that can be shared.
func (a *Cohort) count(answer *Answer) {
	a.tail.mu.Lock()
	if c := &a.tail.cohorts; c.has(a) && c.answers.count(a, answer) {
		c.forgetAnswers()
	}
	a.tail.mu.Unlock()
	a.tail.reclaim()
}
