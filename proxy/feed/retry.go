package feed

import (
	"errors"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// outcome is what came of a request to Electric.
type outcome struct {
	err   error
	start bool // it asked for the end of the log, and not for messages
	live  bool // it waited for messages
}

// verdict is what an outcome means for the feed.
type verdict uint8

const (
	fine    verdict = iota
	unclear         // Electric may have the log or not: a request that does not wait tells
	gone            // Electric does not have the log any more
	away            // Electric does not answer
	over            // the feed cannot follow the log, and ends
)

// retry decides what follows from each request of a feed, in order. It does no I/O and
// knows no clock. The zero retry is of a new feed.
type retry struct {
	next     time.Duration // pause, if the next request fails; 0: firstPause
	doubtful bool          // Electric may not have the log: the next request must not wait
	followed bool          // the feed has followed its log
}

// after returns what an outcome means, and the pause before the next request.
//
// While Electric starts, it answers live requests that their log is gone, and has it. The
// answer to a request that is not live is reliable (recording 11). Only a feed that has
// never followed its log is over: its readers wait for it to start, and get an error at
// once.
func (r *retry) after(o outcome) (verdict, time.Duration) {
	refetch, refused := errors.Is(o.err, electric.ErrMustRefetch), errors.Is(o.err, electric.ErrRefused)
	switch {
	case o.err == nil:
		r.doubtful, r.followed = false, true
		if o.live {
			r.next = 0
		}
		return fine, 0
	case refetch && o.live:
		r.doubtful = true
		return unclear, r.pauseAgain()
	case refetch, refused && !o.start:
		r.doubtful = false
		return gone, r.pauseAgain()
	case refused, !r.followed:
		return over, 0
	default:
		return away, r.pause()
	}
}

// pause returns the pause after a failure. It doubles with each one, up to lastPause.
func (r *retry) pause() time.Duration {
	d := max(r.next, firstPause)
	r.next = min(2*d, lastPause)
	return d
}

// pauseAgain is like pause, and returns 0 for the first failure.
func (r *retry) pauseAgain() time.Duration {
	d := r.pause()
	if d == firstPause {
		return 0
	}
	return d
}
