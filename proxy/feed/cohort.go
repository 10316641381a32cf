package feed

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// View is what the readers of an cohort may see: of the feed's rows, all, or those
// whose column holds an id of a set.
type View struct {
	All    bool
	Grants []Grant
}

// Grant makes rows visible whose column holds one of the ids.
type Grant struct {
	Column int // of the feed's columns
	IDs    *authz.GrantSet
}

// Cohort is readers of a feed that are sent the same.
type Cohort struct {
	feed   *Feed
	view   View
	encode Encoder

	// The feed's lock guards the rest.
	key     string
	block   *block // where it is found; nil: among those that are woken for all, or it is gone
	readers int
	idle    time.Time // since when nobody reads
	waiters []*Waiter
	matched uint64 // the last round in which it was found to see something

	last     *Answer // the answer that was last asked for, and what it is of
	lastOf   span
	lastSize int // as it was counted; 0: it was not yet
}

// sees reports whether a message may concern the readers, by its numbered ids.
func (a *Cohort) sees(numbered []ids) bool {
	for i := range a.view.Grants {
		if g := &a.view.Grants[i]; in(g.IDs, &numbered[g.Column]) {
			return true
		}
	}
	return false
}

// Cohort returns the cohort of a key, and makes it if it is not there. Equal keys
// have to mean equal views and encoders. The caller releases it.
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

// number has the feed's columns numbered as the cohort's grants are, and reports
// whether they are. An cohort whose grants are of other tables is woken for
// everything. The caller holds the lock.
func (f *Feed) number(a *Cohort) bool {
	for _, g := range a.view.Grants {
		table := g.IDs.IDs()
		if table == nil {
			continue // it grants nothing
		}
		f.columns[g.Column].ids.CompareAndSwap(nil, table)
		if f.columns[g.Column].ids.Load() != table {
			return false
		}
	}
	return true
}

// Release ends a reader's part in it.
func (a *Cohort) Release() {
	a.feed.mu.Lock()
	defer a.feed.mu.Unlock()
	if a.readers--; a.readers == 0 {
		a.idle = time.Now()
	}
}

// Answer returns what the cohort is sent of a part, shared with whoever else reads
// that part. Errors are of a message that is not as it should be.
func (a *Cohort) Answer(p *Part) (*Answer, error) {
	if p.response != nil {
		panic("feed: an answer is of a part in memory")
	}
	answer := p.answer
	if answer == nil || p.cohort != a {
		answer = a.answerOf(p)
	}
	if err := answer.fill(*p, a.encode); err != nil {
		return nil, err
	}
	a.feed.noteAnswer(a, answer)
	return answer, nil
}

// answerOf finds the answer that was last asked for, if it is of this part.
func (a *Cohort) answerOf(p *Part) *Answer {
	a.feed.mu.Lock()
	defer a.feed.mu.Unlock()
	if len(p.batches) == 0 || p.batches[0].from.Compare(p.from) < 0 || a.feed.cohorts[a.key] != a {
		return new(Answer) // few begin within a batch, and few are of a log that is gone
	}
	first, last := p.batches[0], p.batches[len(p.batches)-1]
	of := span{first.number, last.number, p.UpToDate}
	if a.last == nil || a.lastOf != of {
		a.feed.forgetAnswer(a)
		a.last, a.lastOf = new(Answer), of
	}
	return a.last
}

// span is some batches of a log, by their numbers.
type span struct {
	first, last uint64
	upToDate    bool
}

// noteAnswer counts an answer that may be asked for again, and forgets it where there
// are too many. Whoever has it keeps it.
func (f *Feed) noteAnswer(a *Cohort, answer *Answer) {
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

// forgetAnswers does so with all. The caller holds the lock.
func (f *Feed) forgetAnswers() {
	for _, a := range f.cohorts {
		f.forgetAnswer(a)
	}
}

// forgetAnswer does so. The caller holds the lock.
func (f *Feed) forgetAnswer(a *Cohort) {
	f.answers -= a.lastSize
	a.last, a.lastOf, a.lastSize = nil, span{}, 0
}

// sweepCohorts forgets those that nobody has read with for a while. The caller holds
// the lock.
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

// cohortTime is how long an cohort without readers is kept: they are between two
// requests.
const cohortTime = 10 * time.Second
