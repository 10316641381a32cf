package grantcache

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// awayFor is how long a SpiceDB that did not answer is not asked again.
const awayFor = 500 * time.Millisecond

// outage says whether SpiceDB is away. While it is, one call at a time finds out when it is
// back, and all others fail at once.
type outage struct {
	err      error     // of the call that found it away; nil: it answers
	retryAt  time.Time // when it may be asked
	answered time.Time // when a call was last answered
}

// mayAsk reports whether SpiceDB may be asked. While it is away, that is true for one call
// in each awayFor.
func (o *outage) mayAsk(now time.Time) bool {
	if o.err == nil {
		return true
	}
	if now.Before(o.retryAt) {
		return false
	}
	o.retryAt = now.Add(awayFor)
	return true
}

// note keeps what the end of a call says of SpiceDB: that it is away, unless it answered
// another call meanwhile.
func (o *outage) note(err error, began, now time.Time) {
	switch {
	case err == nil || authz.KindOf(err) == authz.Unanswerable:
		o.err, o.answered = nil, now
	case authz.KindOf(err) == authz.Unavailable && !o.answered.After(began):
		o.err, o.retryAt = err, now.Add(awayFor)
	}
}
