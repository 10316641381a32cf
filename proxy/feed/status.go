package feed

import (
	"cmp"
	"slices"
	"time"
)

// Status describes a feed for operators. It contains no subject and no id.
type Status struct {
	Name     string // distinguishes the feeds of a shape; changes with a restart
	Shape    string // the name of the shape definition
	Handle   string // of Electric; empty: the feed is starting
	Position string // the offset of the end of the window; empty: the feed is starting

	// Lag is how long Electric has not answered; 0 while it answers.
	Lag      time.Duration
	Failures int // requests to Electric that failed in this time

	Usage

	lsn uint64 // of Position
}

// Usage is how much a feed, or the feeds of a shape, are used.
type Usage struct {
	Readers     int // requests that use the feed
	Waiting     int // of these, those that wait for a message
	Cohorts     int // groups of readers with equal grants
	WindowBytes int
	AnswerBytes int    // of the shared answers
	Restarts    int    // how often Electric had dropped the log
	Woken       uint64 // how often a reader was woken
}

func (u Usage) plus(v Usage) Usage {
	return Usage{
		Readers: u.Readers + v.Readers, Waiting: u.Waiting + v.Waiting, Cohorts: u.Cohorts + v.Cohorts,
		WindowBytes: u.WindowBytes + v.WindowBytes, AnswerBytes: u.AnswerBytes + v.AnswerBytes,
		Restarts: u.Restarts + v.Restarts, Woken: u.Woken + v.Woken,
	}
}

// Status returns all feeds, ordered by shape.
func (f *Feeds) Status() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	all := make([]Status, 0, len(f.feeds))
	for _, feed := range f.feeds {
		all = append(all, feed.status(now))
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Shape, b.Shape), cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return all
}
