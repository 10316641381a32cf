package proxy

import (
	"sync/atomic"
	"weak"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// comparison is what goes and comes between the grants that a client was served and those of
// a decision, and how it is asked for.
type comparison struct {
	diff rowfilter.Resync
	plan *plan // nil: there is nothing to ask for
}

// between names what a plain comparison depends on, and nothing else. Readers with equal
// grants, which have become equal others, have the same.
type between struct {
	rule        *rowfilter.Rule
	served, now authz.Fingerprint
}

// between returns what a comparison with a decision depends on. It returns false if it
// depends on more: on resyncs that are pending or to be collapsed, or on what was lost for a
// while.
func (n *namedGrants) between(d *authz.Decision, lost authz.Grants) (_ between, isPlain bool) {
	c := &n.client.cursor
	return between{n.rule, c.Served.Fingerprint, d.Fingerprint}, len(c.Pending) == 0 && !c.MustCollapse() && lost.IsEmpty()
}

// compared has the latest plain comparison of a shape, as long as a reader uses it. One change
// of a group changes the grants of thousands, and often from and to the same.
//
// It does not keep a comparison from being collected, since that would keep the ids of old
// grants.
type compared struct {
	latest atomic.Pointer[namedComparison]
}

type namedComparison struct {
	between between
	made    weak.Pointer[comparison]
}

// find returns the comparison, which must not be changed, or nil.
func (c *compared) find(b between) *comparison {
	if latest := c.latest.Load(); latest != nil && latest.between == b {
		return latest.made.Value()
	}
	return nil
}

func (c *compared) add(b between, made *comparison) {
	c.latest.Store(&namedComparison{b, weak.Make(made)})
}
