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

// Cohort is the readers of a feed with equal grants, who are sent the same bytes.
type Cohort struct {
	feed   *Feed
	view   View
	encode Encoder

	// The feed's lock guards the rest.
	key     string
	block   *block // of the index; nil: it is woken for every message, or was removed
	readers int
	idle    time.Time // when the last reader released it
	waiters []*Waiter
	matched uint64 // the last round in which it was woken

	last     *Answer // the latest answer
	lastOf   span
	lastSize int // bytes, as they were counted; 0: not counted yet
}

// sees reports whether a message concerns the cohort, given the ids in its columns.
func (a *Cohort) sees(numbered []ids) bool {
	for i := range a.view.Grants {
		if g := &a.view.Grants[i]; in(g.IDs, &numbered[g.Column]) {
			return true
		}
	}
	return false
}

// Cohort returns the cohort with a key, and makes it if there is none. Equal keys must
// come with equal views and encoders. The caller must Release the cohort.
func (f *Feed) Cohort(key string, view func() (View, Encoder)) *Cohort {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.cohorts[key]
	if !ok {
		a = &Cohort{feed: f, key: key}
		a.view, a.encode = view()
		f.cohorts[key] = a
		f.index.add(a, a.view.All || !f.number(a))
	}
	a.readers++
	return a
}

// number makes the columns of the feed use the numbers of ids of the cohort's grants,
// and reports whether they do. The first cohort decides which numbers a column uses. A
// cohort with other ones is woken for every message. The caller holds the lock.
func (f *Feed) number(a *Cohort) bool {
	for _, g := range a.view.Grants {
		table := g.IDs.IDs()
		if table == nil {
			continue // an empty set
		}
		f.columns[g.Column].ids.CompareAndSwap(nil, table)
		if f.columns[g.Column].ids.Load() != table {
			return false
		}
	}
	return true
}

// Release ends the use of the cohort by one reader.
func (a *Cohort) Release() {
	a.feed.mu.Lock()
	defer a.feed.mu.Unlock()
	if a.readers--; a.readers == 0 {
		a.idle = time.Now()
	}
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
	a.feed.noteAnswer(a, answer)
	return answer, nil
}

// answerOf returns the latest answer if it is of this part, or else an empty one.
func (a *Cohort) answerOf(p *Part) *Answer {
	a.feed.mu.Lock()
	defer a.feed.mu.Unlock()
	if len(p.batches) == 0 || p.batches[0].from.Compare(p.from) < 0 || a.feed.cohorts[a.key] != a {
		return new(Answer) // not shared: the part begins within a batch, or its log is gone
	}
	first, last := p.batches[0], p.batches[len(p.batches)-1]
	of := span{first.number, last.number, p.UpToDate}
	if a.last == nil || a.lastOf != of {
		a.feed.forgetAnswer(a)
		a.last, a.lastOf = new(Answer), of
	}
	return a.last
}

// span is a sequence of batches of a log, by their numbers.
type span struct {
	first, last uint64
	upToDate    bool
}

// noteAnswer counts the memory of an answer that can be shared. If there are too many,
// the feed forgets them; readers that have one keep it.
func (f *Feed) noteAnswer(a *Cohort, answer *Answer) {
	if answer.counted.Swap(true) {
		return
	}
	f.mu.Lock()
	if a.last == answer && a.lastSize == 0 && f.cohorts[a.key] == a {
		a.lastSize = answer.size()
		f.answers += a.lastSize
		if f.answers > f.feeds.cfg.Memory/answerPart {
			f.forgetAnswers()
		}
		f.account()
	}
	f.mu.Unlock()
	f.feeds.reclaim()
}

// forgetAnswers forgets the answers of all cohorts. The caller holds the lock.
func (f *Feed) forgetAnswers() {
	for _, a := range f.cohorts {
		f.forgetAnswer(a)
	}
}

// forgetAnswer forgets the answer of a cohort. The caller holds the lock.
func (f *Feed) forgetAnswer(a *Cohort) {
	f.answers -= a.lastSize
	a.last, a.lastOf, a.lastSize = nil, span{}, 0
}

// sweepCohorts removes the cohorts that have had no reader for cohortTime. The caller
// holds the lock.
func (f *Feed) sweepCohorts(now time.Time) {
	for key, a := range f.cohorts {
		if a.readers > 0 || now.Sub(a.idle) < cohortTime {
			continue
		}
		f.forgetAnswer(a)
		f.index.remove(a)
		delete(f.cohorts, key)
	}
}

// cohortTime is how long a cohort without readers is kept. Between two long-polls a
// reader has none.
const cohortTime = 10 * time.Second
