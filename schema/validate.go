package schema

import (
	"fmt"
	"slices"
)

// Definition is a definition of a SpiceDB schema: what can be asked about its
// objects.
type Definition struct {
	Name        string
	Permissions []string
	Relations   []string
}

// Validate reports, as one error that joins an *Error for each, the definitions
// and permissions that shapes speak of and that a SpiceDB schema does not have.
// A relation counts as a permission, as it does for SpiceDB.
func Validate(shapes []Shape, definitions []Definition) error {
	var errs []*Error
	for _, use := range uses(shapes) {
		if err := use.check(definitions); err != nil {
			errs = append(errs, err)
		}
	}
	return join(errs)
}

// Hints reports what Validate accepts and a reader of the shapes may still want
// to know: relations that are used as permissions. SpiceDB's documentation
// advises to check permissions only, since a relation cannot be widened later
// without a change of every question about it.
func Hints(shapes []Shape, definitions []Definition) []*Error {
	var hints []*Error
	for _, use := range uses(shapes) {
		if d := find(definitions, use.definition); d != nil &&
			slices.Contains(d.Relations, use.permission) && !slices.Contains(d.Permissions, use.permission) {
			hints = append(hints, use.errorf("permission", "%q is a relation of %s; name a permission, whose rule can change without a change of this file", use.permission, d.Name))
		}
	}
	return hints
}

// use is one place where a shape speaks of a permission of a definition.
type use struct {
	origin                 *positions
	key                    string
	definition, permission string
}

func uses(shapes []Shape) []use {
	var all []use
	for _, shape := range shapes {
		key := "shapes." + shape.Name + ".authorize."
		if gate := shape.Authorize.Gate; gate != nil {
			all = append(all, use{shape.origin, key + "gate", gate.Resource.Type, gate.Permission})
		}
		if requirement := shape.Authorize.Unrestricted; requirement != nil {
			all = append(all, use{shape.origin, key + "unrestricted", requirement.Resource.Type, requirement.Permission})
		}
		for i, filter := range shape.Authorize.Filter {
			all = append(all, use{shape.origin, fmt.Sprintf("%sfilter[%d]", key, i), filter.Resource, filter.Permission})
		}
	}
	return all
}

func (u use) check(definitions []Definition) *Error {
	d := find(definitions, u.definition)
	if d == nil {
		names := make([]string, len(definitions))
		for i, definition := range definitions {
			names[i] = definition.Name
		}
		return u.errorf("resource", "SpiceDB's schema has no definition %q%s; name one that it has, or write a schema that has this one", u.definition, didYouMean(u.definition, names))
	}
	if slices.Contains(d.Permissions, u.permission) || slices.Contains(d.Relations, u.permission) {
		return nil
	}
	return u.errorf("permission", "the definition %s has no permission %q%s; name one that it has, or write a schema that has this one",
		d.Name, u.permission, didYouMean(u.permission, slices.Concat(d.Permissions, d.Relations)))
}

// errorf reports something about a field of the use.
func (u use) errorf(field, format string, args ...any) *Error {
	e := &Error{Key: u.key + "." + field, Message: fmt.Sprintf(format, args...)}
	if u.origin != nil {
		at := u.origin.at[e.Key]
		e.File, e.Line, e.Column = u.origin.file, at.line, at.column
	}
	return e
}

func find(definitions []Definition, name string) *Definition {
	for i := range definitions {
		if definitions[i].Name == name {
			return &definitions[i]
		}
	}
	return nil
}
