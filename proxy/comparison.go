package proxy

import (
	"sync/atomic"
	"weak"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// comparison is the difference between the grants that a client was served and those of a
// decision: ids that are lost and gained, and the requests at Electric for their rows.
type comparison struct {
	diff rowfilter.Resync
	plan *plan // nil: there is nothing to ask for
}

// comparisonKey is what a plain comparison depends on. Readers that had equal grants, and have
// equal grants now, have the same key.
type comparisonKey struct {
	rule        *rowfilter.Rule
	served, now authz.Fingerprint
}

// comparisonKey returns the key of a comparison with a decision. It returns false for one that
// is not plain: it depends on pending resyncs, on steps that are to be collapsed (see
// cursor.Resync), or on ids that were lost and given back.
func (n *namedGrants) comparisonKey(d *authz.Decision, lost authz.Grants) (_ comparisonKey, isPlain bool) {
	c := &n.client.cursor
	return comparisonKey{n.rule, c.Served.Fingerprint, d.Fingerprint}, len(c.Pending) == 0 && !c.MustCollapse() && lost.IsEmpty()
}

// compared has the latest plain comparison of a shape, as long as a reader uses it. One change
// of a group changes the grants of thousands, and often from and to the same.
//
// It has a weak pointer: else the garbage collector could not free the ids of old grants.
type compared struct {
	latest atomic.Pointer[latestComparison]
}

type latestComparison struct {
	key  comparisonKey
	made weak.Pointer[comparison]
}

// find returns the comparison with a key, which must not be changed. It returns nil if that is
// not the latest one, or if nobody has used it any more.
func (c *compared) find(key comparisonKey) *comparison {
	if latest := c.latest.Load(); latest != nil && latest.key == key {
		return latest.made.Value()
	}
	return nil
}

func (c *compared) add(key comparisonKey, made *comparison) {
	c.latest.Store(&latestComparison{key, weak.Make(made)})
}
