package schema

import (
	"regexp"
	"slices"
	"strings"
)

// SpiceDB's rules for the names of definitions and permissions and for object
// ids, from the validation rules of authzed.api.v1. An object id of "*" is a
// wildcard there, which no resource may be.
var (
	definitionName = regexp.MustCompile(`^([a-z][a-z0-9_]{1,61}[a-z0-9]/)*[a-z][a-z0-9_]{1,62}[a-z0-9]$`)
	relationName   = regexp.MustCompile(`^[a-z][a-z0-9_]{1,62}[a-z0-9]$`)
	objectID       = regexp.MustCompile(`^[a-zA-Z0-9/_|\-=+]+$`)
)

// validObjectID reports whether SpiceDB accepts id as the id of one object.
func validObjectID(id string) bool { return len(id) <= 1024 && objectID.MatchString(id) }

func (d *document) authorize(e entry, columns []string, params *params) Authorize {
	var rule Authorize
	f, ok := d.fields(e.value, e.at, "gate", "unrestricted", "filter", "context")
	if !ok {
		return rule
	}
	if v, ok := f.entries["gate"]; ok {
		rule.Gate = d.requirement(v, params)
	}
	if v, ok := f.entries["unrestricted"]; ok {
		rule.Unrestricted = d.requirement(v, params)
		if _, ok := f.entries["filter"]; !ok {
			d.fail(v.key, v.at, "needs a filter: without one, everybody who passes the gate sees every row")
		}
	}
	if v, ok := f.entries["filter"]; ok {
		items, _ := d.list(v.value)
		for _, item := range items {
			rule.Filter = append(rule.Filter, d.filter(item, columns))
		}
	}
	if v, ok := f.entries["context"]; ok {
		rule.Context = d.context(v.value)
	}
	_, gated := f.entries["gate"]
	_, filtered := f.entries["filter"]
	if !gated && !filtered {
		d.fail(e.key, e.at, "needs a gate or a filter: nothing is public by accident")
	}
	return rule
}

func (d *document) requirement(e entry, params *params) *Requirement {
	f, ok := d.fields(e.value, e.at, "resource", "permission")
	if !ok {
		return nil
	}
	var requirement Requirement
	if v, ok := d.require(f, "resource"); ok {
		requirement.Resource = d.resource(v.value, params)
	}
	if v, ok := d.require(f, "permission"); ok {
		requirement.Permission = d.permission(v.value)
	}
	return &requirement
}

// resource reads type:id or type:$param.
func (d *document) resource(v value, params *params) Resource {
	text, ok := d.text(v)
	if !ok {
		return Resource{}
	}
	typ, id, ok := strings.Cut(text, ":")
	if !ok {
		d.failAt(v, "%q is not of the form type:id or type:$param", text)
		return Resource{}
	}
	if !definitionName.MatchString(typ) {
		d.failAt(v, "%q is not the name of a definition", typ)
	}
	if name, ok := strings.CutPrefix(id, "$"); ok {
		if !paramName.MatchString(name) {
			d.failAt(v, "%q is not the name of a param", name)
			return Resource{}
		}
		params.use(d, v, name)
		return Resource{Type: typ, Param: name}
	}
	if !validObjectID(id) {
		d.failAt(v, "%q is not an object id that SpiceDB accepts", id)
	}
	return Resource{Type: typ, ID: id}
}

func (d *document) permission(v value) string {
	text, ok := d.text(v)
	if ok && !relationName.MatchString(text) {
		d.failAt(v, "%q is not the name of a permission", text)
	}
	return text
}

func (d *document) filter(v value, columns []string) Filter {
	f, ok := d.fields(v, v.place(), "resource", "permission", "column")
	if !ok {
		return Filter{}
	}
	var filter Filter
	if v, ok := d.require(f, "resource"); ok {
		filter.Resource = d.definition(v.value)
	}
	if v, ok := d.require(f, "permission"); ok {
		filter.Permission = d.permission(v.value)
	}
	if v, ok := d.require(f, "column"); ok {
		filter.Column = d.filterColumn(v.value, columns)
	}
	return filter
}

// definition reads the name of a definition, which a filter has where a gate has
// an object.
func (d *document) definition(v value) string {
	text, ok := d.text(v)
	switch typ, _, isObject := strings.Cut(text, ":"); {
	case !ok:
	case isObject:
		d.failAt(v, "%q is one object; a filter names a definition, as in %q", text, typ)
	case !definitionName.MatchString(text):
		d.failAt(v, "%q is not the name of a definition", text)
	}
	return text
}

func (d *document) filterColumn(v value, columns []string) string {
	name, ok := d.text(v)
	// Without columns there is an error already.
	if ok && columns != nil && !slices.Contains(columns, name) {
		d.failAt(v, "%q is not among the columns of the shape%s", name, didYouMean(name, columns))
	}
	return name
}
