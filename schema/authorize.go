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

// ruleReader reads the authorization rule of one shape.
type ruleReader struct {
	*document
	columns []string // of the shape; nil if they are not known
	params  *params
}

func (r ruleReader) rule(e entry) Authorize {
	var rule Authorize
	f, ok := r.fields(e.value, e.at, authorizeKeys)
	if !ok {
		return rule
	}
	if v, ok := f["gate"]; ok {
		rule.Gate = r.requirement(v)
	}
	if v, ok := f["unrestricted"]; ok {
		rule.Unrestricted = r.requirement(v)
		if _, ok := f["filter"]; !ok {
			r.fail(v.key, v.at, "needs a filter: without one, everybody who passes the gate sees every row")
		}
	}
	if v, ok := f["filter"]; ok {
		items, _ := r.list(v.value)
		for _, item := range items {
			rule.Filter = append(rule.Filter, r.filter(item))
		}
	}
	if v, ok := f["context"]; ok {
		rule.Context = contextReader{r.document}.context(v.value)
	}
	_, gated := f["gate"]
	_, filtered := f["filter"]
	if !gated && !filtered {
		r.fail(e.key, e.at, "needs a gate or a filter: nothing is public by accident")
	}
	return rule
}

func (r ruleReader) requirement(e entry) *Requirement {
	f, ok := r.fields(e.value, e.at, requirementKeys)
	if !ok {
		return nil
	}
	var requirement Requirement
	if v, ok := f["resource"]; ok {
		requirement.Resource = r.resource(v.value)
	}
	if v, ok := f["permission"]; ok {
		requirement.Permission = r.permission(v.value)
	}
	return &requirement
}

// resource reads type:id or type:$param.
func (r ruleReader) resource(v value) Resource {
	text, ok := r.text(v)
	if !ok {
		return Resource{}
	}
	typ, id, ok := strings.Cut(text, ":")
	if !ok {
		r.failAt(v, "%q is not of the form type:id or type:$param", text)
		return Resource{}
	}
	if !definitionName.MatchString(typ) {
		r.failAt(v, "%q is not the name of a definition", typ)
	}
	if name, ok := strings.CutPrefix(id, "$"); ok {
		if !paramName.MatchString(name) {
			r.failAt(v, "%q is not the name of a param", name)
			return Resource{}
		}
		r.params.use(v, name)
		return Resource{Type: typ, Param: name}
	}
	if !validObjectID(id) {
		r.failAt(v, "%q is not an object id that SpiceDB accepts", id)
	}
	return Resource{Type: typ, ID: id}
}

func (r ruleReader) permission(v value) string {
	text, ok := r.text(v)
	if ok && !relationName.MatchString(text) {
		r.failAt(v, "%q is not the name of a permission", text)
	}
	return text
}

func (r ruleReader) filter(v value) Filter {
	f, ok := r.fields(v, v.place(), filterKeys)
	if !ok {
		return Filter{}
	}
	var filter Filter
	if v, ok := f["resource"]; ok {
		filter.Resource = r.definition(v.value)
	}
	if v, ok := f["permission"]; ok {
		filter.Permission = r.permission(v.value)
	}
	if v, ok := f["column"]; ok {
		filter.Column = r.filterColumn(v.value)
	}
	return filter
}

// definition reads the name of a definition, which a filter has where a gate has
// an object.
func (r ruleReader) definition(v value) string {
	text, ok := r.text(v)
	switch typ, _, isObject := strings.Cut(text, ":"); {
	case !ok:
	case isObject:
		r.failAt(v, "%q is one object; a filter names a definition, as in %q", text, typ)
	case !definitionName.MatchString(text):
		r.failAt(v, "%q is not the name of a definition", text)
	}
	return text
}

func (r ruleReader) filterColumn(v value) string {
	name, ok := r.text(v)
	// Without columns there is an error already.
	if ok && r.columns != nil && !slices.Contains(r.columns, name) {
		r.failAt(v, "%q is not among the columns of the shape%s", name, didYouMean(name, r.columns))
	}
	return name
}
