package proxy

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime/debug"
	"strconv"
)

// Verdict is what a server in front of Electric is told of a request for a shape that it got.
// With an upstream URI the request is permitted: the server may send Electric a GET with this
// URI, the secret added, and with nothing else that the client sent. Without one it answers
// with the status, the header and the body.
type Verdict struct {
	Subject string // who asks, as in user:alice; of a permitted request
	Shape   string // the name of the shape; of a permitted request

	// UpstreamURI is the path and the query at Electric, without Electric's secret. It tells
	// of the shape's definition what a reader of the shape is not told, its where above all:
	// it is for the server in front alone.
	UpstreamURI string

	Status int
	Header http.Header
	Body   []byte // JSON, as in the proxy's own answers
}

// Permits reports whether the request may be sent to Electric.
func (v *Verdict) Permits() bool { return v.UpstreamURI != "" }

// Forwarded is a request that a server in front of Electric got.
type Forwarded struct {
	Method string
	URI    string      // the path and the query, as they stood in the request line
	Header http.Header // the credentials are in it
}

// Authorize decides whether a server in front of Electric may send it a request. The verdict
// on the same request at /v1/authorize is the same.
func (h *Handler) Authorize(ctx context.Context, f Forwarded) (v Verdict) {
	m, name := h.middleware, ""
	defer func() {
		if p := recover(); p != nil {
			m.log.Error("panic", "value", p, "stack", string(debug.Stack()))
			v = m.refuse(ctx, name, &problem{kind: internal, message: "internal error"})
		}
		m.metrics.requests.WithLabelValues(askedByCall, knownMethod(f.Method), strconv.Itoa(v.Status)).Inc()
	}()
	from, err := f.request(ctx)
	if err == nil {
		name = shapeNamed(from)
		v, err = h.shapes.decide(from, name)
	}
	if err != nil {
		return m.refuse(ctx, name, err)
	}
	return v
}

// askedByCall stands for the route of a request that came by Handler.Authorize, in metrics
// and logs.
const askedByCall = "authorize"

// refuse counts and logs a request that may not be sent to Electric.
func (m *middleware) refuse(ctx context.Context, shape string, err error) Verdict {
	if !m.names[shape] {
		shape = ""
	}
	p := m.count(ctx, askedByCall, shape, err)
	v := Verdict{Status: p.status(), Header: make(http.Header)}
	neverCached(v.Header)
	v.Header.Set("Content-Type", jsonType)
	p.setHeader(v.Header)
	v.Body, _ = json.Marshal(p.body()) //nolint:errchkjson // strings alone
	return v
}
