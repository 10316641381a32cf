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
// and permissions that a file speaks of and that a SpiceDB schema does not have.
// A relation counts as a permission, as it does for SpiceDB.
func (f File) Validate(definitions []Definition) error {
	var errs []*Error
	for _, use := range f.uses() {
		// All permissions of a collection have one resource.
		if err := use.check(definitions); err != nil && !slices.ContainsFunc(errs, func(e *Error) bool { return *e == *err }) {
			errs = append(errs, err)
		}
	}
	return join(errs)
}

// Hints reports what Validate accepts and a reader of the file may still want
// to know: relations that are used as permissions. SpiceDB's documentation
// advises to check permissions only, since a relation cannot be widened later
// without a change of every question about it.
func (f File) Hints(definitions []Definition) []*Error {
	var hints []*Error
	for _, use := range f.uses() {
		if d := find(definitions, use.definition); d != nil &&
			slices.Contains(d.Relations, use.permission) && !slices.Contains(d.Permissions, use.permission) {
			hints = append(hints, errorf(use.origin, use.permissionKey, "%q is a relation of %s; name a permission, whose rule can change without a change of this file", use.permission, d.Name))
		}
	}
	return hints
}

// use is one place where a file speaks of a permission of a definition.
type use struct {
	origin                     *positions
	definition, permission     string
	resourceKey, permissionKey string // where they stand
}

// use is that of a mapping with the keys resource and permission.
func (r *Requirement) use(origin *positions, key string) use {
	return use{origin, r.Resource.Type, r.Permission, key + ".resource", key + ".permission"}
}

func (f File) uses() []use {
	var all []use
	for i := range f.Shapes {
		all = append(all, f.Shapes[i].uses()...)
	}
	for i := range f.Grants {
		all = append(all, f.Grants[i].uses()...)
	}
	return all
}

func (s *Shape) uses() []use {
	var all []use
	key := "shapes." + s.Name + ".authorize."
	if gate := s.Authorize.Gate; gate != nil {
		all = append(all, gate.use(s.origin, key+"gate"))
	}
	if requirement := s.Authorize.Unrestricted; requirement != nil {
		all = append(all, requirement.use(s.origin, key+"unrestricted"))
	}
	for i, filter := range s.Authorize.Filter {
		at := fmt.Sprintf("%sfilter[%d]", key, i)
		all = append(all, use{s.origin, filter.Resource, filter.Permission, at + ".resource", at + ".permission"})
	}
	return all
}

func (g *Grants) uses() []use {
	var all []use
	key := "grants." + g.Name
	if gate := g.Authorize.Gate; gate != nil {
		all = append(all, gate.use(g.origin, key+".gate"))
	}
	for i, permission := range g.Permissions {
		all = append(all, use{g.origin, g.Resource, permission, key + ".resource", fmt.Sprintf("%s.permissions[%d]", key, i)})
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
		return errorf(u.origin, u.resourceKey, "SpiceDB's schema has no definition %q%s; name one that it has, or write a schema that has this one", u.definition, didYouMean(u.definition, names))
	}
	if slices.Contains(d.Permissions, u.permission) || slices.Contains(d.Relations, u.permission) {
		return nil
	}
	return errorf(u.origin, u.permissionKey, "the definition %s has no permission %q%s; name one that it has, or write a schema that has this one",
		d.Name, u.permission, didYouMean(u.permission, slices.Concat(d.Permissions, d.Relations)))
}

func find(definitions []Definition, name string) *Definition {
	for i := range definitions {
		if definitions[i].Name == name {
			return &definitions[i]
		}
	}
	return nil
}
