package grantcache

import (
	"slices"

	"github.com/shapegate/shapegate/authz"
)

// recent are the ids that an entry's set gained or lost last, oldest first. A set that
// another process composed at about that time may lack some of these changes, or have them
// sooner.
type recent struct{ ids []string }

// mostRecent is how many ids are kept: more are not searched, see authz.MostNear.
const mostRecent = authz.MostNear

// note notes ids. Where there are many, the set has changed as a whole, and no set is near
// it.
func (r *recent) note(ids *authz.GrantSet) {
	if ids.Len() > mostRecent {
		return
	}
	for id := range ids.All() {
		r.noteOne(id)
	}
}

// noteOne is note for one id.
func (r *recent) noteOne(id string) {
	if i := slices.Index(r.ids, id); i >= 0 {
		r.ids = slices.Delete(r.ids, i, i+1)
	}
	if len(r.ids) == mostRecent {
		r.ids = slices.Delete(r.ids, 0, 1)
	}
	r.ids = append(r.ids, id)
}
