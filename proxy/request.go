package proxy

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// request is what a client asks of a shape, parsed.
type request struct {
	shape *shape
	logRequest
	params map[string]string // the shape's
	gzip   bool              // the client takes it

	// What can be parsed once the table is known:
	narrowed *subset.Narrowing // nil: the whole shape
	subset   *subset.Request   // nil: a read of the log
}

// parseRequest reads what a client asks of a shape: everything but the body, and what can
// only be understood once the table is known.
func parseRequest(from *http.Request, q url.Values, s *shape) (*request, error) {
	r := &request{shape: s, gzip: acceptsGzip(from.Header)}
	var err error
	if r.logRequest, err = parseLogRequest(q); err != nil {
		return nil, err
	}
	if r.sse && from.Method == http.MethodHead {
		return nil, invalid("live_sse", "an answer to HEAD has no stream")
	}
	if r.params, err = shapeParams(s.def, q); err != nil {
		return nil, err
	}
	return r, checkKeys(q, s.def)
}

// parseSubset reads what subset the client asks for, if it asks for one: in its body, or
// in its query.
func (r *request) parseSubset(body []byte, query url.Values) error {
	table := r.tableForClient()
	inBody, isInBody, err := subset.ParseBody(body, table)
	if err != nil {
		return err
	}
	inQuery, isInQuery, err := subset.ParseQuery(query, table)
	switch {
	case err != nil:
		return err
	case isInBody && isInQuery:
		return invalid("subset", "given both in the body and in the query")
	case isInQuery:
		r.subset = inQuery
	case isInBody:
		r.subset = inBody
	}
	return nil
}

// scope is what a subject's handles are good for.
func (r *request) scope(subject string) cursor.Scope {
	s := cursor.Scope{Shape: r.shape.def.Name, Subject: subject}
	for _, name := range r.shape.def.Params {
		s.Params = append(s.Params, r.params[name])
	}
	if r.narrowed != nil {
		s.Params = append(s.Params, r.narrowed.Key())
	}
	return s
}

// logSpec returns the log that a reader with a decision's grants reads.
func (r *request) logSpec(d authz.Decision) *electric.LogSpec {
	return narrowSpec(r.shape.logSpec(r.params, d.Grants.IsEverything(), r.replica), r.narrowed)
}

// explain makes a 400 of a value that Electric refused. Where a shape has params, their
// values are all that can be wrong with a request that was otherwise built here.
func (r *request) explain(err error) error {
	switch {
	case !errors.Is(err, electric.ErrRefused) || isMisconfigured(err):
		return err
	case r.where != "":
		return &problem{
			kind: badRequest, field: "where", cause: err,
			message: "Electric does not take this: a value may not be of its column's type",
		}
	case len(r.shape.def.Params) > 0:
		return &problem{
			kind: badRequest, field: strings.Join(r.shape.def.Params, ","), cause: err,
			message: "not a value that the shape's table can be asked for",
		}
	}
	return err
}

// explainSubset makes a 400 of a where that Electric refused. The filter's part of it is
// known to be good, so what Electric refuses is the client's: most often a value that its
// column's type cannot hold.
func (r *request) explainSubset(err error) error {
	if errors.Is(err, electric.ErrRefused) && !isMisconfigured(err) && (r.subset.Where != nil || r.subset.OrderBy != nil) {
		return &problem{
			kind: badRequest, field: "where", cause: err,
			message: "Electric does not take this: a value may not be of its column's type, or a function may be one that Electric does not have",
		}
	}
	return r.explain(err)
}
