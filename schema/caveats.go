package schema

import (
	"maps"
	"slices"
	"strings"
)

// Permission is a permission, or a relation, of a definition of a SpiceDB schema.
type Permission struct{ Definition, Name string }

// contextual is a shape or a collection of grants that gives context to caveats.
type contextual struct {
	origin  *positions
	what    string // for people
	key     string // where its context stands
	context map[string]ContextValue
	uses    []use
}

func (f File) contextual() []contextual {
	var all []contextual
	for i := range f.Shapes {
		s := &f.Shapes[i]
		all = append(all, contextual{s.origin, "the shape", "shapes." + s.Name + ".authorize.context", s.Authorize.Context, s.uses()})
	}
	for i := range f.Grants {
		g := &f.Grants[i]
		all = append(all, contextual{g.origin, "the collection", "grants." + g.Name + ".context", g.Authorize.Context, g.uses()})
	}
	return slices.DeleteFunc(all, func(c contextual) bool { return len(c.context) == 0 })
}

// ContextPermissions returns the permissions of what has a caveat context, each once,
// sorted: those that ValidateContext has to know about.
func (f File) ContextPermissions() []Permission {
	seen := make(map[Permission]bool)
	for _, c := range f.contextual() {
		for _, use := range c.uses {
			seen[Permission{use.definition, use.permission}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b Permission) int {
		return strings.Compare(a.Definition+"#"+a.Name, b.Definition+"#"+b.Name)
	})
}

// ValidateContext reports, as one error that joins an *Error for each, the keys of a
// caveat context that no caveat behind any of the permissions has a parameter for: what
// they were meant for is not there when SpiceDB needs it, and the answer is a denial.
//
// parameters are the names of the parameters of the caveats that a permission may
// come to, for each of ContextPermissions.
func (f File) ValidateContext(parameters map[Permission][]string) error {
	var errs []*Error
	for _, c := range f.contextual() {
		known := make(map[string]bool)
		for _, use := range c.uses {
			for _, name := range parameters[Permission{use.definition, use.permission}] {
				known[name] = true
			}
		}
		for _, key := range slices.Sorted(maps.Keys(c.context)) {
			if !known[key] {
				errs = append(errs, c.unknown(key, slices.Sorted(maps.Keys(known))))
			}
		}
	}
	return join(errs)
}

func (c *contextual) unknown(key string, known []string) *Error {
	at := c.key + "." + key
	if len(known) == 0 {
		return errorf(c.origin, at, "no permission of %s comes to a caveat; leave the key out", c.what)
	}
	return errorf(c.origin, at, "no caveat of %s's permissions has the parameter %q%s; name one that a caveat has, or leave it out", c.what, key, didYouMean(key, known))
}
