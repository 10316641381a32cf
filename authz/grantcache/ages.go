package grantcache

import (
	"math/rand/v2"
	"time"
)

// ages bounds how old an answer may be that no touch makes old: one that changes with time
// or, without heartbeats, in silence.
type ages struct {
	maxStaleness, relookup time.Duration
	freshness              *freshness
}

// isDue reports whether an answer is to be asked for again though nothing says that it
// changed. Not all are due at once.
func (a *ages) isDue(e *entry, now time.Time) bool {
	age := now.Sub(e.value.asked)
	switch {
	case e.isVolatile():
		return age > a.maxStaleness/2
	case !a.freshness.hasHeartbeat():
		return age > a.relookup/2+rand.N(a.relookup/2) //nolint:gosec // spreading, not guarding
	default:
		return false
	}
}

// isExpired reports whether an answer is too old to be used.
func (a *ages) isExpired(e *entry, now time.Time) bool {
	age := now.Sub(e.value.asked)
	return e.isVolatile() && age > a.maxStaleness || age > a.relookup+a.maxStaleness && !a.freshness.hasHeartbeat()
}
