package proxy

import (
	"fmt"
	"slices"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/schema"
)

// labelOf spells which ids are compared with which columns. Equal grants under another rule
// mean other rows, so it is part of what a handle names.
func labelOf(def *schema.Guarded) string {
	label := def.Name
	for _, f := range def.Authorize.Filter {
		label += fmt.Sprintf("\n%q#%q->%q", f.Resource, f.Permission, f.Column)
	}
	return label
}

// question returns the question to ask for one reader of a definition with a label, whose
// request came from an IP address; empty: it is not known.
func question(def *schema.Guarded, label string, subject authz.Subject, params map[string]string, ip string) (authz.Question, error) {
	a := &def.Authorize
	q := authz.Question{Subject: subject, Context: caveatContext(a.Context, subject, ip), Clock: clock(a.Context)}
	q.Rule.Label = label
	var err error
	if q.Rule.Gate, err = requirement(a.Gate, params); err != nil {
		return q, err
	}
	if q.Rule.Unrestricted, err = requirement(a.Unrestricted, params); err != nil {
		return q, err
	}
	for _, f := range a.Filter {
		q.Rule.Filters = append(q.Rule.Filters, authz.Filter{ResourceType: f.Resource, Permission: f.Permission})
	}
	return q, nil
}

// requirement fills in the params of a requirement. A param's value comes from
// the client: one that is no object id names no object, so there can be no permission
// on it.
func requirement(r *schema.Requirement, params map[string]string) (*authz.Requirement, error) {
	if r == nil {
		return nil, nil
	}
	id := r.Resource.ID
	if name := r.Resource.Param; name != "" {
		if id = params[name]; !authz.ValidObjectID(id) {
			return nil, invalid(name, "not the id of an object: letters, digits and /_|-=+ only")
		}
	}
	ref, err := authz.NewObjectRef(r.Resource.Type, id)
	if err != nil {
		return nil, fmt.Errorf("shape definition: %w", err)
	}
	return &authz.Requirement{Resource: ref, Permission: r.Permission}, nil
}

// caveatContext gathers the context of a question. What is missing stays out:
// SpiceDB then answers conditionally, which is a denial.
func caveatContext(spec map[string]schema.ContextValue, subject authz.Subject, ip string) map[string]any {
	if len(spec) == 0 {
		return nil
	}
	out := make(map[string]any, len(spec))
	for name, v := range spec {
		switch v.Source {
		case schema.Literal:
			out[name] = v.Value
		case schema.Claim:
			if value, ok := claim(subject.Claims, v.Path); ok {
				out[name] = value
			}
		case schema.RequestIP:
			if ip != "" {
				out[name] = ip
			}
		case schema.RequestTime: // see clock
		}
	}
	return out
}

// clock lists the values of the context that are the time of asking.
func clock(spec map[string]schema.ContextValue) []string {
	var names []string
	for name, v := range spec {
		if v.Source == schema.RequestTime {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func claim(claims map[string]any, path []string) (any, bool) {
	var value any = claims
	for _, part := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[part]; !ok {
			return nil, false
		}
	}
	return value, value != nil
}
