package proxy

import (
	"slices"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// narrow reads what the client asks of the log beside the shape's definition: fewer rows
// and fewer columns. Electric evaluates it: it is part of the log spec, and of what the
// handle is good for.
func (r *shapeRequest) narrow() (err error) {
	required := slices.Clone(r.shape.table.rule().Key)
	for _, f := range r.shape.def.Authorize.Filter {
		required = append(required, f.Column)
	}
	if key := r.narrowing.key(); key != "" && r.shape.def.Narrowing == schema.NarrowingRefused {
		return invalid(key, "a log of this shape cannot be narrowed: ask for a subset instead")
	}
	r.narrowed, err = subset.ParseNarrowing(r.where, r.whereParams, r.columns, r.shape.table.forClients(), required)
	return err
}

// narrowSpec returns the log spec of a narrowed shape.
func narrowSpec(spec *electric.LogSpec, n *subset.Narrowing) *electric.LogSpec {
	if n == nil {
		return spec
	}
	narrow := &electric.LogSpec{
		Schema: spec.Schema, Table: spec.Table, Columns: spec.Columns, Replica: spec.Replica, Log: spec.Log,
		Where: spec.Where, WhereParams: slices.Clone(spec.WhereParams),
	}
	if n.Columns != nil {
		narrow.Columns = n.Columns
	}
	if where, params := n.SQL(len(spec.WhereParams) + 1); where != "" {
		if narrow.Where != "" {
			where = narrow.Where + " AND " + where // both stay whole: see predicate.Conjunct
		}
		narrow.Where, narrow.WhereParams = where, append(narrow.WhereParams, params...)
	}
	return narrow
}

// tableForClient is what the client may name in a subset.
func (r *shapeRequest) tableForClient() *subset.Table {
	all := r.shape.table.forClients()
	if r.narrowed == nil || r.narrowed.Columns == nil {
		return all
	}
	columns := make(subset.Columns, len(r.narrowed.Columns))
	for _, name := range r.narrowed.Columns {
		columns[name] = all.Columns[name]
	}
	return &subset.Table{Schema: all.Schema, Name: all.Name, Columns: columns}
}
