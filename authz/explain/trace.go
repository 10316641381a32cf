package explain

import (
	"cmp"
	"slices"

	"github.com/shapegate/shapegate/authz"
)

// Outcome is what came of one step of a check.
type Outcome uint8

// The outcomes. What SpiceDB did not need to look at is NotHeld.
const (
	NotHeld Outcome = iota
	Held
	Lacking // a caveat lacks context: a denial
)

// Trace is a step of a check, with the steps that it rests on.
type Trace struct {
	Object  authz.ObjectRef
	Name    string // the relation or the permission that was looked at
	Outcome Outcome
	Caveat  *Caveat // what decided the outcome, if a caveat did

	// Grantee is whom a relation names directly: the subject, or everybody of its type
	// ("user:*"). It is empty where the relation leads to the subject through Parts, or not
	// at all.
	Grantee string

	Parts []Trace
}

// Caveat is a caveat that was evaluated, with the context that it was evaluated with: the
// relationship's own, and the question's.
type Caveat struct {
	Name       string         `json:"name"`
	Expression string         `json:"expression"`
	Result     CaveatResult   `json:"result"`
	Context    map[string]any `json:"context"`
	Missing    []string       `json:"missing"` // parameters without a value
}

// CaveatResult is what a caveat came to.
type CaveatResult string

// The results of caveats.
const (
	CaveatTrue    CaveatResult = "true"
	CaveatFalse   CaveatResult = "false"
	CaveatMissing CaveatResult = "missing_context"
)

// Answer is SpiceDB's answer to one check, and how it came to it.
type Answer struct {
	Held    bool
	Trace   Trace
	Schema  Schema
	At      authz.ZedToken // the revision
	Ignored []string       // values of the context that no caveat could take
}

// sorted returns the parts in an order that is always the same: SpiceDB looks at them side
// by side.
func (t *Trace) sorted() []Trace {
	return slices.SortedStableFunc(slices.Values(t.Parts), func(a, b Trace) int {
		return cmp.Or(cmp.Compare(a.Object.String(), b.Object.String()), cmp.Compare(a.Name, b.Name))
	})
}
