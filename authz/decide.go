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

	// Label says what the positions of Filters mean to the caller. Equal grants
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
