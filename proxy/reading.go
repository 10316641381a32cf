package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// Reading is what a handler asks of SpiceDB and of Electric for one reader of a shape. It is
// for tools that say why an answer is as it is, and asks nothing itself.
type Reading struct {
	// Question is what decides. It has no time yet for the values of the context that are a
	// clock.
	Question authz.Question

	shape  *shape
	params map[string]string
}

// NewReading returns what is asked for a subject whose request comes from an IP address;
// empty: it is not known. Errors are Invalid.
func NewReading(def *schema.Shape, subject authz.Subject, params map[string]string, ip string) (*Reading, error) {
	r := &Reading{shape: newShape(def, nil)}
	q := make(url.Values, len(params))
	for name, v := range params {
		if q.Set(name, v); !slices.Contains(def.Params, name) {
			return nil, asInvalid(invalid(name, "not a param of the shape"))
		}
	}
	var err error
	if r.params, err = shapeParams(def, q); err == nil {
		r.Question, err = r.shape.question(subject, r.params, ip)
	}
	if err == nil {
		err = r.Question.Validate()
	}
	return r, asInvalid(err)
}

// asInvalid gives the refusal of a param the form of an error for tools.
func asInvalid(err error) error {
	var p *problem
	if errors.As(err, &p) {
		return authz.E(authz.Invalid, "read the params", fmt.Errorf("%s: %s", p.field, p.message))
	}
	return err
}

// Log returns the log that the reader would read. It depends on the table, see Learn.
func (r *Reading) Log() *electric.LogSpec {
	return r.shape.logSpec(r.params, false, electric.ReplicaDefault)
}

// WholeTable returns a log without the shape's where. It holds changes alone, so that
// Electric reads nothing of the table for it.
func (r *Reading) WholeTable() *electric.LogSpec {
	spec := r.Log()
	return &electric.LogSpec{Schema: spec.Schema, Table: spec.Table, Columns: spec.Columns, Log: electric.LogChangesOnly}
}

// Learn takes what Electric says of the table. It returns an error if the shape's filters
// cannot be laid on it.
func (r *Reading) Learn(table *electric.Schema) error {
	r.shape.table.learn(table)
	return r.shape.table.checkFilterTypes()
}

// Row returns the subset of the row whose primary key has these values, in the key's order.
// The table must have been learned.
func (r *Reading) Row(key []string) (electric.Subset, error) {
	values := make([]*string, len(key))
	for i := range key {
		values[i] = &key[i]
	}
	rule := r.shape.table.rule()
	quoted, err := json.Marshal(electric.RowKey(rule.Schema, rule.Table, values))
	if err != nil {
		return electric.Subset{}, err
	}
	return rowsByKey(rule, []string{string(quoted)})
}
