package explain

import (
	"slices"

	"github.com/shapegate/shapegate/authz"
)

// Check says whether a permission is held on one object, and why.
type Check struct {
	Object     string `json:"object"`
	Permission string `json:"permission"`
	Expression string `json:"expression"` // the permission's, as SpiceDB prints it; empty: of a relation
	Held       bool   `json:"held"`

	// Paths are the paths of relationships that grant it, one after the other object,
	// relation, object, …, subject. All of them are needed: there are several only where the
	// schema has an intersection. Where the permission is not held, they are those that
	// would grant it without ExcludedBy.
	Paths      []Path `json:"paths"`
	ExcludedBy []Path `json:"excluded_by"`

	Caveats []CaveatOn `json:"caveats"` // that are false or lack context, where it is not held

	// Tried are the relations in which no relationship leads to the subject, as
	// document:d1#viewer, where the permission is not held.
	Tried []string `json:"tried"`

	IgnoredContext []string `json:"ignored_context"` // values that no caveat could take
	Failure        string   `json:"failure"`         // why it cannot be evaluated; empty: it can
}

// Path is a path of relationships: object, relation, object, …, subject. The caveat of a
// relationship stands behind its subject, as in user:bob[cleared].
type Path []string

// CaveatOn is a caveat on a path of relationships.
type CaveatOn struct {
	Path   Path   `json:"path"`
	Caveat Caveat `json:"caveat"`
}

// Tell says what an answer means for a check.
func Tell(asked authz.Check, answer Answer) Check {
	c := Check{
		Object: asked.Resource.String(), Permission: asked.Permission, Held: answer.Held,
		Expression: answer.Schema[authz.Relation{Definition: asked.Resource.Type, Name: asked.Permission}],
		Paths:      []Path{}, ExcludedBy: []Path{}, Caveats: []CaveatOn{}, Tried: []string{},
		IgnoredContext: slices.Sorted(slices.Values(answer.Ignored)),
	}
	if c.IgnoredContext == nil {
		c.IgnoredContext = []string{}
	}
	if c.Held {
		c.Paths = below(Path{c.Object}, grants{answer.Schema}.of(&answer.Trace))
		return c
	}
	d := denials{grants: grants{answer.Schema}, check: &c}
	d.of(&answer.Trace, Path{c.Object})
	slices.Sort(c.Tried)
	c.Tried = slices.Compact(c.Tried)
	return c
}

// Unanswerable is a check that SpiceDB cannot evaluate.
func Unanswerable(asked authz.Check, why string) Check {
	c := Tell(asked, Answer{})
	c.Tried, c.Failure = []string{}, why
	return c
}
