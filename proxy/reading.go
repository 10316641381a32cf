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
	r := &Reading{shape: newShape(def, nil), params: params}
	var err error
	r.Question, err = NewQuestion(&def.Guarded, subject, params, ip)
	return r, err
}

// NewQuestion returns the question that a handler asks for a subject whose request comes
// from an IP address; empty: it is not known. It is for tools, as Reading is. Errors are
// Invalid.
func NewQuestion(def *schema.Guarded, subject authz.Subject, params map[string]string, ip string) (authz.Question, error) {
	values := make(url.Values, len(params))
	for name, v := range params {
		if values.Set(name, v); !slices.Contains(def.Params, name) {
			return authz.Question{}, asInvalid(invalid(name, "not a param of "+def.Name))
		}
	}
	params, err := paramsOf(def, values)
	if err != nil {
		return authz.Question{}, asInvalid(err)
	}
	q, err := question(def, labelOf(def), subject, params, ip)
	if err == nil {
		err = q.Validate()
	}
	return q, asInvalid(err)
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
