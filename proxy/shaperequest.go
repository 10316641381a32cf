package proxy

import (
	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// shapeRequest is what a client asks of a shape.
type shapeRequest struct {
	request
	shape    *shape
	narrowed *subset.Narrowing // nil: the whole shape; known once the table is
}

// scope is what a subject's handles are good for.
func (r *shapeRequest) scope(subject string) cursor.Scope {
	s := r.request.scope(subject)
	if r.narrowed != nil {
		s.Params = append(s.Params, r.narrowed.Key())
	}
	return s
}

// logSpec returns the log that a reader with a decision's grants reads.
func (r *shapeRequest) logSpec(d authz.Decision) *electric.LogSpec {
	return narrowSpec(r.shape.logSpec(r.params, d.Grants.IsEverything(), r.replica), r.narrowed)
}
