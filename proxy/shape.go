package proxy

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/rowfilter"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// shape is a shape definition, ready to be asked.
type shape struct {
	def *schema.Shape

	leftOut *leftOut

	// label spells which ids are compared with which columns. Equal grants under
	// another rule mean other rows, so it is part of what a handle names.
	label string

	// feedColumns are the columns by which readers of the table are granted rows, this
	// shape's and others'. filterColumns says which of them each filter has.
	feedColumns   []feed.Column
	filterColumns []int

	// specs are the log specs of a shape without params, by replica.
	specs [2]atomic.Pointer[electric.LogSpec]

	// columns are what clients may name, as of the table that they were made for.
	columns atomic.Pointer[namedColumns]

	// table is what Electric last said of the table's columns; nil until it was
	// first asked. A migration changes it while we run.
	table atomic.Pointer[electric.Schema]

	// rules is the rule as of the table that it was made for.
	rules atomic.Pointer[tableRule]
}

// tableRule is a rule for the rows of a table as it was.
type tableRule struct {
	table *electric.Schema
	rule  rowfilter.Rule
}

// isStrict reports whether nothing may be sent that SpiceDB was not asked about
// since it was written.
func (s *shape) isStrict() bool { return s.def.Consistency == schema.Strict }

func newShape(def *schema.Shape, l *leftOut) *shape {
	s := &shape{def: def, label: def.Name, leftOut: l}
	for _, f := range def.Authorize.Filter {
		s.label += fmt.Sprintf("\n%q#%q->%q", f.Resource, f.Permission, f.Column)
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

// logSpec returns the log that a reader of the shape reads, for the given values of its
// params. It holds changes alone: what is there comes from a subset, so that Electric
// never reads the whole table for it. A shape that reads Electric's stored log has a log
// with its snapshot.
func (s *shape) logSpec(params map[string]string, everything bool, replica electric.Replica) *electric.LogSpec {
	if !everything && s.needsFullReplica() {
		replica = electric.ReplicaFull
	}
	if len(s.def.Params) > 0 {
		return s.newLogSpec(params, replica)
	}
	made := &s.specs[replica]
	if spec := made.Load(); spec != nil {
		return spec
	}
	made.CompareAndSwap(nil, s.newLogSpec(nil, replica))
	return made.Load()
}

func (s *shape) newLogSpec(params map[string]string, replica electric.Replica) *electric.LogSpec {
	spec := &electric.LogSpec{
		Schema:  s.def.Table.Schema,
		Table:   s.def.Table.Name,
		Columns: s.def.Columns,
		Replica: replica,
		Log:     electric.LogChangesOnly,
	}
	if s.readsStored() {
		spec.Log = electric.LogFull
	}
	if w := s.def.Where; w != nil {
		spec.Where = w.SQL
		for _, name := range w.Params {
			spec.WhereParams = append(spec.WhereParams, params[name])
		}
	}
	return spec
}

// readsStored reports whether first reads are answered with Electric's stored log.
func (s *shape) readsStored() bool { return s.def.FirstRead == schema.Stored }

// needsFullReplica reports whether a change has to carry the whole row, so that its
// visibility can be decided: where a filter's column is not of the primary key, it
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

// rule returns what grants mean for the rows of the table, as Electric last described it.
func (s *shape) rule() *rowfilter.Rule {
	table := s.table.Load()
	if made := s.rules.Load(); made != nil && made.table == table {
		return &made.rule
	}
	made := &tableRule{table: table, rule: rowfilter.Rule{Schema: s.def.Table.Schema, Table: s.def.Table.Name}}
	for _, f := range s.def.Authorize.Filter {
		made.rule.Filters = append(made.rule.Filters, f.Column)
	}
	if table != nil {
		made.rule.Key = table.Key
	}
	s.rules.Store(made)
	return &made.rule
}

// clientColumns are the columns that a client may name in a subset: those of the shape,
// with the types that the table has.
func (s *shape) clientColumns() subset.Columns {
	table := s.table.Load()
	if made := s.columns.Load(); made != nil && made.table == table {
		return made.columns
	}
	columns := make(subset.Columns, len(s.def.Columns))
	for _, name := range s.def.Columns {
		if c, ok := table.Columns[name]; ok {
			columns[name] = subset.Column{Type: c.Type, Dims: c.Dims}
		}
	}
	s.columns.Store(&namedColumns{table, columns})
	return columns
}

// namedColumns are columns as they are in one table.
type namedColumns struct {
	table   *electric.Schema
	columns subset.Columns
}

// requestContext is what of a request may enter the caveat context.
type requestContext struct{ ip string }

// question returns the question to ask for one reader of the shape.
func (s *shape) question(subject authz.Subject, params map[string]string, rc requestContext) (authz.Question, error) {
	a := &s.def.Authorize
	q := authz.Question{Subject: subject, Context: caveatContext(a.Context, subject, rc), Clock: clock(a.Context)}
	q.Rule.Label = s.label
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
