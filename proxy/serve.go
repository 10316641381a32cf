package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
)

// serveShape answers requests for the shape that name finds in them.
func (h *Handler) serveShape(name func(*gin.Context) string) gin.HandlerFunc {
	return func(c *gin.Context) {
		rd, err := h.newReading(c, name)
		if rd != nil {
			defer rd.release()
		}
		if err == nil {
			err = rd.serve(c)
		}
		if err != nil {
			h.fail(c, err)
		}
	}
}

// newReading reads everything of a request but its body.
func (h *Handler) newReading(c *gin.Context, name func(*gin.Context) string) (*reading, error) {
	if h.ready != nil && !h.ready() {
		return nil, &problem{kind: unavailable, message: "starting"}
	}
	creds, err := credentialsOf(c.Request)
	if err != nil {
		return nil, err
	}
	// Whoever has no credentials that hold is told nothing of what there is.
	subject, at, err := h.identify(c.Request.Context(), &creds)
	if err != nil {
		return nil, err
	}
	place, err := h.limiter.admit(c.Request.Context(), subject.String())
	if err != nil {
		return nil, err
	}
	rd := &reading{
		h: h, creds: creds, subject: subject, place: place,
		context: h.contextOf(c.Request), gzip: acceptsGzip(c.Request.Header),
	}
	return rd, rd.parse(c, name(c), at)
}

// parse reads the query and the headers of a request for a shape.
func (rd *reading) parse(c *gin.Context, name string, at authz.ZedToken) (err error) {
	if rd.query, err = parseQuery(c.Request.URL.RawQuery); err != nil {
		return err
	}
	var ok bool
	if rd.shape, ok = rd.h.shapes[name]; !ok {
		return &problem{kind: notFound, message: "no such shape", field: "table"}
	}
	if rd.fresh, err = freshness(c.Request); err != nil {
		return err
	}
	if rd.fresh == "" {
		rd.fresh = at
	}
	if rd.logRequest, err = parseLogRequest(rd.query); err != nil {
		return err
	}
	if rd.sse && c.Request.Method == http.MethodHead {
		return invalid("live_sse", "an answer to HEAD has no stream")
	}
	if rd.params, err = shapeParams(rd.shape.def, rd.query); err != nil {
		return err
	}
	return checkKeys(rd.query, rd.shape.def)
}

// contextOf gathers what of a request may enter the caveat context.
func (h *Handler) contextOf(r *http.Request) requestContext {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = ""
	}
	return requestContext{ip: ip}
}

// held is a request that is held: it is answered when there is something to say.
type held interface {
	wait(ctx context.Context) error
}

// serve answers the request. While one is held, as thousands are, this stack is there
// for each of them: so what is done before is done in calls that have returned.
func (rd *reading) serve(c *gin.Context) error {
	waiting, err := rd.serveNow(c.Request.Context(), c)
	if err == nil && waiting != nil {
		err = rd.hold(c.Request.Context(), waiting)
	}
	return rd.orRefetch(c.Writer, err)
}

// orRefetch answers a request whose handle is stale.
func (rd *reading) orRefetch(w gin.ResponseWriter, err error) error {
	if errors.Is(err, errStaleHandle) && !w.Written() {
		writeMustRefetch(w, rd.refetchHandle())
		return nil
	}
	return err
}

// serveNow answers the request, unless it is one to be held, which it returns.
func (rd *reading) serveNow(ctx context.Context, c *gin.Context) (held, error) {
	body, err := rd.h.readBody(c)
	if err != nil {
		return nil, err
	}
	if err := rd.open(ctx); err != nil {
		return nil, err
	}
	log, err := rd.openLog(ctx)
	if err != nil {
		return nil, err
	}
	asked, isSubset, err := rd.parseSubset(body)
	switch {
	case err != nil:
		return nil, err
	case isSubset:
		return nil, rd.serveSubset(ctx, c.Writer, log, asked)
	default:
		return rd.serveLog(ctx, c.Writer, log)
	}
}

// hold holds a request, unless too many are.
func (rd *reading) hold(ctx context.Context, waiting held) error {
	if err := rd.place.hold(); err != nil {
		return err
	}
	gauge := rd.h.metrics.held.WithLabelValues(rd.shape.def.Name)
	gauge.Inc()
	defer gauge.Dec()
	rd.query = nil // it was read, and takes memory while nothing happens
	return waiting.wait(ctx)
}

// parseSubset reads what subset the client asks for, if it asks for one: in its
// body, or in its query.
func (rd *reading) parseSubset(body []byte) (*subset.Request, bool, error) {
	columns := rd.shape.clientColumns()
	asked, inBody, err := subset.ParseBody(body, columns)
	if err != nil {
		return nil, false, err
	}
	fromQuery, inQuery, err := subset.ParseQuery(rd.query, columns)
	switch {
	case err != nil:
		return nil, false, err
	case inBody && inQuery:
		return nil, false, invalid("subset", "given both in the body and in the query")
	case inQuery:
		return fromQuery, true, nil
	default:
		return asked, inBody, nil
	}
}

// serveLog answers a read of the reader's log, unless it is one to be held.
func (rd *reading) serveLog(ctx context.Context, w http.ResponseWriter, log shapeLog) (held, error) {
	if err := rd.checkLog(); err != nil {
		return nil, err
	}
	switch {
	case rd.offset == electric.Now, rd.offset == electric.BeforeAll && rd.log == electric.LogChangesOnly:
		return nil, rd.servePosition(ctx, w, log)
	case rd.offset == electric.BeforeAll && rd.view.all:
		return nil, rd.serveWhole(ctx, w, log)
	case rd.offset == electric.BeforeAll:
		return nil, rd.serveInitial(ctx, w, log)
	}
	h, ok := parseHandle(rd.handle)
	if !ok || !rd.h.handleKey.holds(rd.scope(), h) {
		return nil, errStaleHandle
	}
	h = rd.advance(h)
	rd.late = surely(rd.h.late.of(h), authz.Mark{})
	switch {
	case !rd.live:
		return nil, rd.serveCatchUp(ctx, w, log, h)
	case rd.sse:
		return &heldStream{rd, w, log, h}, nil
	default:
		return rd.newLongPoll(w, log, h), nil
	}
}

// refetchHandle is the handle of an answer that says must-refetch. It is new, and
// good for nothing: Electric has no log of its name, so that it opens none.
func (rd *reading) refetchHandle() handle {
	return rd.mint(feed.Place{Handle: "0"}, electric.Start)
}
