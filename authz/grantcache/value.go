package grantcache

import (
	"time"

	"github.com/shapegate/shapegate/authz"
)

// value is an entry's answer.
type value struct {
	valid   bool            // there is one
	set     *authz.GrantSet // of a lookup
	held    bool            // of a check
	failure error           // Unanswerable: SpiceDB cannot evaluate it
	asked   time.Time       // when the call began that the answer as a whole is of

	token   authz.ZedToken // the revision of the last call that confirmed it
	tokenAt time.Time
	answers answers // of single objects
	recent  recent  // changes of set
}

// unanswerableFor is how long SpiceDB is not asked again what it could not evaluate.
const unanswerableFor = 5 * time.Second

// isRefused reports whether SpiceDB could not evaluate the answer a moment ago.
func (v *value) isRefused(now time.Time) bool {
	return v.failure != nil && now.Sub(v.asked) < unanswerableFor
}

// confirmed notes the revision at which SpiceDB said what the value is. No revision is
// named of an empty answer.
func (v *value) confirmed(token authz.ZedToken, at time.Time) {
	if token != "" || v.set.Len() == 0 {
		v.token, v.tokenAt = token, at
	}
}
