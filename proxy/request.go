package proxy

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// request is what a client asks of a definition, parsed.
type request struct {
	def *schema.Guarded
	logRequest
	params map[string]string // the definition's
	gzip   bool              // the client takes it
	subset *subset.Request   // nil: a read of the log
}

// parseRequest reads what a client asks of a definition: everything but the subset.
func parseRequest(from *http.Request, q url.Values, def *schema.Guarded) (r request, err error) {
	r = request{def: def, gzip: acceptsGzip(from.Header)}
	if r.logRequest, err = parseLogRequest(q); err != nil {
		return r, err
	}
	if r.sse && from.Method == http.MethodHead {
		return r, invalid("live_sse", "an answer to HEAD has no stream")
	}
	if r.params, err = paramsOf(def, q); err != nil {
		return r, err
	}
	return r, checkKeys(q, def)
}

// parseSubset reads what subset the client asks for, if it asks for one: in its body, or
// in its query. table is what it may name.
func (r *request) parseSubset(body []byte, query url.Values, table *subset.Table) error {
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
	s := cursor.Scope{Shape: r.def.Name, Subject: subject}
	for _, name := range r.def.Params {
		s.Params = append(s.Params, r.params[name])
	}
	return s
}

// explain makes a 400 of a value that Electric refused. Where a definition has params, their
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
	case len(r.def.Params) > 0:
		return &problem{
			kind: badRequest, field: strings.Join(r.def.Params, ","), cause: err,
			message: "not a value that the shape's table can be asked for",
		}
	}
	return err
}

// explainSubset makes a 400 of a where that Electric refused. The filter's part of it is
// known to be good, so what Electric refuses is the client's: most often a value that its
// column's type cannot hold.
func (r *request) explainSubset(err error) error {
	if errors.Is(err, electric.ErrRefused) && !isMisconfigured(err) && r.subset != nil && (r.subset.Where != nil || r.subset.OrderBy != nil) {
		return &problem{
			kind: badRequest, field: "where", cause: err,
			message: "Electric does not take this: a value may not be of its column's type, or a function may be one that Electric does not have",
		}
	}
	return r.explain(err)
}
