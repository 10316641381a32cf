package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// decide decides on a request for a shape that another server got and wants to send to
// Electric itself. All that it asks and reads is what the proxy asks and reads of a request of
// its own, in the same order. What it refuses beside are requests that only the proxy can
// answer. That a shape's definition is the reason is said to its readers alone.
func (s *shapeServer) decide(from *http.Request, name string) (Verdict, error) {
	who, err := s.admit(from, readerCredentialsOf)
	if err != nil {
		return Verdict{}, err
	}
	defer who.release()
	if err := checkMethod(from.Method); err != nil {
		return Verdict{}, err
	}
	if name == "" {
		return Verdict{}, invalid(uriField, "not a request for a shape: want /v1/shapes/<name> or /v1/shape?table=<name>")
	}
	q, err := parseQuery(from.URL.RawQuery)
	if err != nil {
		return Verdict{}, err
	}
	r, err := s.parse(from, q, name, who)
	if err != nil {
		return Verdict{}, err
	}
	d, err := s.authorize(from, r.def, r.shape.label, r.params, who)
	if err != nil {
		return Verdict{}, err
	}
	if err := r.checkForwardable(q); err != nil {
		return Verdict{}, err
	}
	if err := s.learn(from.Context(), r, d); err != nil {
		return Verdict{}, err
	}
	if err := r.narrow(); err != nil {
		return Verdict{}, err
	}
	if err := who.checkNarrowing(r); err != nil {
		return Verdict{}, err
	}
	spec := r.upstreamSpec(d)
	if err := s.countForwarded(r, who, spec); err != nil {
		return Verdict{}, err
	}
	return Verdict{
		Subject: who.subject.String(), Shape: name, Status: http.StatusNoContent,
		UpstreamURI: electric.LogRequest{Handle: r.handle, Offset: r.offset, Live: r.live, Cursor: r.cursor}.URI(spec),
	}, nil
}

// checkMethod refuses what is no read of a log.
func checkMethod(method string) error {
	switch method {
	case http.MethodGet, http.MethodHead:
		return nil
	case http.MethodPost:
		return throughProxy("method", "a POST cannot be authorized without its body, whose keys override those of the URL: read shapes with subsets through shapegate")
	default:
		return invalid("method", "a shape is read with GET or HEAD")
	}
}

// throughProxy refuses a request that only the proxy can answer.
func throughProxy(field, message string) *problem {
	return &problem{kind: needsProxy, field: field, message: message}
}

// checkForwardable refuses what Electric's own answer would not keep: of the shape's
// definition, and of what the client asks.
func (r *shapeRequest) checkForwardable(q url.Values) error {
	def := r.shape.def
	switch {
	case len(def.Authorize.Filter) > 0:
		return throughProxy("authorize.filter", "the shape has a filter, and Electric would send every row: read it through shapegate")
	case def.Consistency == schema.Strict:
		return throughProxy("consistency", "the shape is strict, and Electric asks nobody before it sends: read it through shapegate")
	case !r.shape.readsStored():
		return throughProxy("first_read", "Electric's own log has the past of the shape, which only first_read: stored allows: read it through shapegate")
	case asksForIP(def):
		return throughProxy("authorize.context", "the shape's permission depends on request.ip, which is not known here: read it through shapegate")
	}
	if key := subsetKey(q); key != "" {
		return throughProxy(safeField(key), "a subset is not a read of the log: read shapes with subsets through shapegate")
	}
	if r.sse {
		return throughProxy("live_sse", "nothing would end an event stream when the permission is lost: use long-polls, or read the shape through shapegate")
	}
	return r.checkLog()
}

// asksForIP reports whether a caveat of the shape takes the client's address. The address
// that is known is that of the server in front.
func asksForIP(def *schema.Shape) bool {
	for _, v := range def.Authorize.Context {
		if v.Source == schema.RequestIP {
			return true
		}
	}
	return false
}

// subsetKey returns a key of the query that asks for a subset, or empty.
func subsetKey(q url.Values) (first string) {
	for key := range q {
		if strings.HasPrefix(key, "subset__") && (first == "" || key < first) {
			first = key
		}
	}
	return first
}

// upstreamSpec returns the log that Electric is to be asked for: with changes alone, if the
// client wants those.
func (r *shapeRequest) upstreamSpec(d authz.Decision) *electric.LogSpec {
	spec := r.logSpec(d)
	return &electric.LogSpec{
		Schema: spec.Schema, Table: spec.Table, Columns: spec.Columns, Replica: spec.Replica,
		Where: spec.Where, WhereParams: spec.WhereParams, Log: r.log,
	}
}

// countForwarded counts a log that values of the client's name among those of its subject,
// as a read through the proxy does: Electric makes a shape of each, and keeps it.
func (s *shapeServer) countForwarded(r *shapeRequest, who *access, spec *electric.LogSpec) error {
	if r.narrowed == nil && len(r.params) == 0 {
		return nil
	}
	return s.upstream.forwarded.use(who.subject.String(), spec.Key())
}
