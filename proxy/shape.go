package proxy

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/schema"
)

// shape is a shape definition, ready to be asked.
type shape struct {
	def *schema.Shape

	// rule spells which ids are compared with which columns. Equal grants under
	// another rule mean other rows, so it is part of what a handle names.
	rule string

	// feedColumns are the columns by which readers of the table are granted rows, this
	// shape's and others'. filterColumns says which of them each filter has.
	feedColumns   []feed.Column
	filterColumns []int

	// feeds are those of a shape without params, by replica and log.
	feeds [2][2]atomic.Pointer[electric.LogSpec]

	// columns are what clients may name, as of the table that they were made for.
	columns atomic.Pointer[namedColumns]

	// table is what Electric last said of the table's columns; nil until it was
	// first asked. A migration changes it while we run.
	table atomic.Pointer[electric.Schema]
}

// isStrict reports whether nothing may be sent that SpiceDB was not asked about
// since it was written.
func (s *shape) isStrict() bool { return s.def.Consistency == schema.Strict }

func newShape(def *schema.Shape) *shape {
	s := &shape{def: def, rule: def.Name}
	for _, f := range def.Authorize.Filter {
		s.rule += fmt.Sprintf("\n%q#%q->%q", f.Resource, f.Permission, f.Column)
	}
	return s
}

// learn keeps what an answer said of the table.
func (s *shape) learn(table *electric.Schema) {
	if table == nil {
		return
	}
	if old := s.table.Load(); old == nil || old.Header != table.Header {
		s.table.Store(table)
	}
}

// feed returns the feed that a reader of the shape reads, for the given values of
// its params.
//
// A reader that sees some rows reads a log of changes alone: what is there comes
// from a subset, so that the whole table is never read for it. One that sees
// every row reads the log it asked for, stored snapshot included.
func (s *shape) feed(params map[string]string, unrestricted bool, log electric.LogMode, replica electric.Replica) *electric.LogSpec {
	if !unrestricted {
		log = electric.LogChangesOnly
		if s.needsFullReplica() {
			replica = electric.ReplicaFull
		}
	}
	if len(s.def.Params) > 0 {
		return s.newFeed(params, log, replica)
	}
	made := &s.feeds[replica][log]
	if f := made.Load(); f != nil {
		return f
	}
	made.CompareAndSwap(nil, s.newFeed(nil, log, replica))
	return made.Load()
}

func (s *shape) newFeed(params map[string]string, log electric.LogMode, replica electric.Replica) *electric.LogSpec {
	f := &electric.LogSpec{
		Schema:  s.def.Table.Schema,
		Table:   s.def.Table.Name,
		Columns: s.def.Columns,
		Replica: replica,
		Log:     log,
	}
	if w := s.def.Where; w != nil {
		f.Where = w.SQL
		for _, name := range w.Params {
			f.WhereParams = append(f.WhereParams, params[name])
		}
	}
	return f
}

// needsFullReplica reports whether a change has to carry the whole row for its
// visibility to be told: where a filter's column is not of the primary key, it
// can change, and most changes do not mention it.
func (s *shape) needsFullReplica() bool {
	table := s.table.Load()
	if table == nil {
		return false
	}
	for _, f := range s.def.Authorize.Filter {
		if !table.InKey(f.Column) {
			return true
		}
	}
	return false
}

// keys returns a reader for the keys of the shape's rows.
func (s *shape) keys() keyReader {
	k := keyReader{schema: s.def.Table.Schema, table: s.def.Table.Name}
	if table := s.table.Load(); table != nil {
		k.key = table.Key
	}
	return k
}

// visibility returns what a decision on the shape's rule means for its rows.
func (s *shape) visibility(d authz.Decision) visibility {
	if d.Unrestricted {
		return visibility{all: true}
	}
	return s.granted(d.Grants)
}

// granted returns the visibility of the rows that any of the sets reaches, of
// which there is one for each filter.
func (s *shape) granted(sets []*authz.GrantSet) visibility {
	v := visibility{columns: make([]columnGrants, len(s.def.Authorize.Filter))}
	for i, f := range s.def.Authorize.Filter {
		v.columns[i] = columnGrants{column: f.Column, grants: sets[i]}
	}
	return v
}

// requestContext is what of a request may enter the caveat context.
type requestContext struct{ ip string }

// question returns the question to ask for one reader of the shape.
func (s *shape) question(subject authz.Subject, params map[string]string, rc requestContext) (authz.Question, error) {
	a := &s.def.Authorize
	q := authz.Question{Subject: subject, Context: caveatContext(a.Context, subject, rc), Clock: clock(a.Context)}
	q.Rule.Label = s.rule
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
// the client: one that is no object id names no object, so nobody can hold
// anything on it.
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
func caveatContext(spec map[string]schema.ContextValue, subject authz.Subject, rc requestContext) map[string]any {
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
			if rc.ip != "" {
				out[name] = rc.ip
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
