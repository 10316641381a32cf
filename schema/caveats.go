package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Permission is a permission, or a relation, of a definition of a SpiceDB schema.
type Permission struct{ Definition, Name string }

// ContextPermissions returns the permissions of the shapes that have a caveat
// context, each once, sorted: those that ValidateContext has to know about.
func ContextPermissions(shapes []Shape) []Permission {
	seen := make(map[Permission]bool)
	for _, shape := range shapes {
		if len(shape.Authorize.Context) == 0 {
			continue
		}
		for _, use := range uses([]Shape{shape}) {
			seen[Permission{use.definition, use.permission}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b Permission) int {
		return strings.Compare(a.Definition+"#"+a.Name, b.Definition+"#"+b.Name)
	})
}

// ValidateContext reports, as one error that joins an *Error for each, the keys of a
// shape's caveat context that no caveat behind any of its permissions has a
// parameter for: what they were meant for is not there when SpiceDB needs it, and
// the answer is a denial.
//
// parameters are the names of the parameters of the caveats that a permission may
// come to, for each of ContextPermissions.
func ValidateContext(shapes []Shape, parameters map[Permission][]string) error {
	var errs []*Error
	for _, shape := range shapes {
		known := make(map[string]bool)
		for _, use := range uses([]Shape{shape}) {
			for _, name := range parameters[Permission{use.definition, use.permission}] {
				known[name] = true
			}
		}
		for _, key := range slices.Sorted(maps.Keys(shape.Authorize.Context)) {
			if !known[key] {
				errs = append(errs, unknownContextKey(shape, key, slices.Sorted(maps.Keys(known))))
			}
		}
	}
	return join(errs)
}

func unknownContextKey(shape Shape, key string, known []string) *Error {
	e := &Error{Key: "shapes." + shape.Name + ".authorize.context." + key}
	switch {
	case len(known) == 0:
		e.Message = "no permission of the shape comes to a caveat; leave the key out"
	default:
		e.Message = fmt.Sprintf("no caveat of the shape's permissions has the parameter %q%s; name one that a caveat has, or leave it out", key, didYouMean(key, known))
	}
	shape.locate(e)
	return e
}

// locate fills in where the key of an error stands in the file.
func (s Shape) locate(e *Error) {
	if s.origin == nil {
		return
	}
	at := s.origin.at[e.Key]
	e.File, e.Line, e.Column = s.origin.file, at.line, at.column
}
