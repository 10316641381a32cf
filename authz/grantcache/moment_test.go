package grantcache

import (
	"slices"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// A person is unrestricted again while the answer of a filter, which is not asked for them
// then, is still to come. The decision knows that the check was lost in between: else every
// handle of theirs would be refused until the filter's answer came.
func TestADecisionKnowsOfTheLossesOfAnEntryWhoseAnswerIsKnown(t *testing.T) {
	touched := time.Now().Add(-time.Second)
	check := &entry{heard: heard{whole: 1, covered: 1}}
	check.past.broken = loss{at: touched.Add(time.Millisecond), name: 7}
	filter := &entry{heard: heard{whole: 2, covered: 1, since: touched}}
	filter.past.lost = []loss{{at: touched.Add(2 * time.Millisecond), name: 8}}
	q := &query{unrestricted: check, filters: []*entry{filter}}

	m := q.moment(touched.Add(-time.Minute), 5*time.Second)
	if !slices.Equal(m.Losses, []authz.Loss{7}) {
		t.Errorf("it knows of %v, and not yet of what the filter lost", m.Losses)
	}
	if !m.Time.Before(touched) {
		t.Errorf("it knows of what was written before %v, and the filter was touched at %v", m.Time, touched)
	}
}
