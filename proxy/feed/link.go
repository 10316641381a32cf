package feed

import "time"

// liveTime bounds a live request. Electric answers after 20 s at the latest, so that a
// request of more than liveTime has been lost.
const liveTime = 30 * time.Second

// link is how a feed stands with Electric: whether it follows its log, and since when
// Electric has not answered. It has no lock: the tail guards it.
type link struct {
	state    state
	settled  chan struct{} // closed, and replaced, when the state changes
	patience time.Duration // Config.Away

	asked    time.Time // when the latest request for messages was sent
	since    time.Time // when Electric stopped answering; zero: it answers
	failures int       // requests that failed since then
	err      error     // of the latest of them; or why the feed failed
}

// state is the state of a feed.
type state uint8

const (
	starting state = iota // it asks Electric for the end of the log
	following
	failed // it has ended
)

func newLink(patience time.Duration) link {
	return link{patience: patience, settled: make(chan struct{})}
}

// become changes the state.
func (l *link) become(s state) {
	l.state = s
	close(l.settled)
	l.settled = make(chan struct{})
}

// answered notes that Electric answers.
func (l *link) answered() { l.since, l.failures, l.err = time.Time{}, 0, nil }

// unanswered notes that Electric did not answer a request.
func (l *link) unanswered(now time.Time, err error) {
	if l.since.IsZero() {
		l.since = now
	}
	l.failures++
	l.err = err
}

// fail notes that the feed has ended, and why.
func (l *link) fail(err error) {
	l.err = err
	l.become(failed)
}

func (l *link) isAway() bool { return !l.since.IsZero() }

// unusable returns why the log cannot be read, or nil: the feed has failed, or Electric
// has been away for too long.
func (l *link) unusable(now time.Time) error {
	if l.state == failed || l.isAway() && now.Sub(l.since) > l.patience {
		return l.err
	}
	return nil
}

// isCurrent reports whether the feed hears at once of what Electric has: the latest
// request is not so old that it may be lost.
func (l *link) isCurrent(now time.Time) bool {
	return l.state == following && !l.isAway() && now.Sub(l.asked) < liveTime-time.Second
}
