package authz

// Requirement is a permission that the subject must hold on one object.
type Requirement struct {
	Resource   ObjectRef
	Permission string
}

// Filter names the ids that a subject may see: every object of ResourceType on
// which it holds Permission.
type Filter struct {
	ResourceType string
	Permission   string
}

// Rule is what a shape asks of its readers. At least one of Gate and Filters is
// set: nothing is public by accident.
type Rule struct {
	Gate         *Requirement // must hold, or the answer is Denied
	Unrestricted *Requirement // holders see every row, whatever the filters say
	Filters      []Filter     // a row is visible if any filter reaches it

	// Label says what the positions of Filters mean to whoever asks. Equal grants
	// under another label are another decision.
	Label string
}

// Consistency is what a decision rests on.
type Consistency uint8

// Bounded decisions rest on what the watch keeps current, within the staleness
// bound. Strict ones are asked for anew, at full consistency, each time.
const (
	Bounded Consistency = iota
	Strict
)

// Question is one decision to make.
type Question struct {
	Subject Subject
	Rule    Rule
	Context map[string]any // caveat context; a missing key makes a caveat conditional, so denied

	// Clock names values of the caveat context that are the time at which
	// SpiceDB is asked, in RFC 3339.
	Clock []string
}

// Validate reports whether the question can be asked. Errors are Invalid.
func (q *Question) Validate() error {
	if _, err := NewObjectRef(q.Subject.Type, q.Subject.ID); err != nil {
		return err
	}
	if q.Rule.Gate == nil && len(q.Rule.Filters) == 0 {
		return E(Invalid, "decide", errUnguarded)
	}
	for _, r := range []*Requirement{q.Rule.Gate, q.Rule.Unrestricted} {
		if r == nil {
			continue
		}
		if _, err := NewObjectRef(r.Resource.Type, r.Resource.ID); err != nil {
			return err
		}
	}
	return nil
}

// Decision is who may see which rows, as a value: it holds no connection, does
// not change, and can be compared.
type Decision struct {
	// Unrestricted readers see every row: they hold the rule's Unrestricted
	// requirement, or the rule has no filters and its gate is all it asks.
	Unrestricted bool

	// Grants[i] holds the ids that Rule.Filters[i] reaches. Nil if Unrestricted.
	Grants []*GrantSet

	// Name is the same for decisions that say the same under the same rule, on
	// every replica, and differs otherwise.
	Name Fingerprint

	// Mark is when it was made.
	Mark Mark
}

// Mark is a moment in the life of one keeper of decisions, for one question. It
// means nothing to any other keeper, and nothing for any other question.
type Mark struct {
	Lineage uint64 // of the question, and of the keeper, which draws it when it starts
	Version uint64 // how many changes the keeper had seen
}

// Change is how one decision differs from an earlier one of the same subject
// under the same rule, by filter.
//
// Grants that came and went in between count: what was revoked and granted again
// is both lost and gained, since what was written meanwhile was not for its
// subject.
type Change struct {
	Kept   []*GrantSet // held at both ends and all the time between them
	Lost   []*GrantSet // taken away at some time in between
	Gained []*GrantSet // held now, and not all the time
	Before []*GrantSet // held at the earlier end

	// Exact is whether the time in between is known; if not, the ends were
	// compared.
	Exact bool
}

// Empty reports whether nothing changed.
func (c *Change) Empty() bool {
	for i := range c.Lost {
		if c.Lost[i].Len() > 0 || c.Gained[i].Len() > 0 {
			return false
		}
	}
	return true
}

// Compare returns how d differs from what was granted before, if nothing is known
// of the time in between.
func (d *Decision) Compare(before []*GrantSet) Change {
	c := newChange(len(d.Grants))
	copy(c.Before, before)
	for i, now := range d.Grants {
		c.Lost[i] = before[i].Difference(now)
		c.Gained[i] = now.Difference(before[i])
		c.Kept[i] = now.Difference(c.Gained[i])
	}
	return c
}

// Unchanged returns the change from d to itself.
func (d *Decision) Unchanged() Change {
	c := newChange(len(d.Grants))
	copy(c.Kept, d.Grants)
	copy(c.Before, d.Grants)
	return c
}

func newChange(filters int) Change {
	sets := make([]*GrantSet, 4*filters)
	return Change{
		Kept: sets[:filters], Lost: sets[filters : 2*filters], Gained: sets[2*filters : 3*filters], Before: sets[3*filters:],
	}
}
