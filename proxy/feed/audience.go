package feed

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// View is what the readers of an audience may see: of the feed's rows, all, or those
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

// Audience is readers of a feed that are sent the same.
type Audience struct {
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
func (a *Audience) sees(numbered []ids) bool {
	for i := range a.view.Grants {
		if g := &a.view.Grants[i]; in(g.IDs, &numbered[g.Column]) {
			return true
		}
	}
	return false
}

// Audience returns the audience of a key, and makes it if it is not there. Equal keys
// have to mean equal views and encoders. The caller releases it.
func (f *Feed) Audience(key string, view func() (View, Encoder)) *Audience {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.audiences[key]
	if !ok {
		a = &Audience{feed: f, key: key}
		a.view, a.encode = view()
		f.audiences[key] = a
		f.index.add(a, a.view.All || !f.number(a))
	}
	a.readers++
	return a
}

// number has the feed's columns numbered as the audience's grants are, and reports
// whether they are. An audience whose grants are of other tables is woken for
// everything. The caller holds the lock.
func (f *Feed) number(a *Audience) bool {
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
func (a *Audience) Release() {
	a.feed.mu.Lock()
	defer a.feed.mu.Unlock()
	if a.readers--; a.readers == 0 {
		a.idle = time.Now()
	}
}

// Answer returns what the audience is sent of a part, shared with whoever else reads
// that part. Errors are of a message that is not as it should be.
func (a *Audience) Answer(p *Part) (*Answer, error) {
	if p.response != nil {
		panic("feed: an answer is of a part in memory")
	}
	answer := p.answer
	if answer == nil || p.audience != a {
		answer = a.answerOf(p)
	}
	if err := answer.fill(*p, a.encode); err != nil {
		return nil, err
	}
	a.feed.noteAnswer(a, answer)
	return answer, nil
}

// answerOf finds the answer that was last asked for, if it is of this part.
func (a *Audience) answerOf(p *Part) *Answer {
	a.feed.mu.Lock()
	defer a.feed.mu.Unlock()
	if len(p.batches) == 0 || p.batches[0].from.Compare(p.from) < 0 || a.feed.audiences[a.key] != a {
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
func (f *Feed) noteAnswer(a *Audience, answer *Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.last != answer || a.lastSize > 0 || f.audiences[a.key] != a {
		return
	}
	a.lastSize = answer.size()
	f.answers += a.lastSize
	if f.answers > f.feeds.answerShare() {
		f.forgetAnswers()
	}
}

// forgetAnswers does so with all. The caller holds the lock.
func (f *Feed) forgetAnswers() {
	for _, a := range f.audiences {
		f.forgetAnswer(a)
	}
}

// forgetAnswer does so. The caller holds the lock.
func (f *Feed) forgetAnswer(a *Audience) {
	f.answers -= a.lastSize
	a.last, a.lastOf, a.lastSize = nil, span{}, 0
}

// sweepAudiences forgets those that nobody has read with for a while. The caller holds
// the lock.
func (f *Feed) sweepAudiences(now time.Time) {
	for key, a := range f.audiences {
		if a.readers > 0 || now.Sub(a.idle) < audienceTime {
			continue
		}
		f.forgetAnswer(a)
		f.index.remove(a)
		delete(f.audiences, key)
	}
}

// audienceTime is how long an audience without readers is kept: they are between two
// requests.
const audienceTime = 10 * time.Second
