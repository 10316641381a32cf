package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// maxBody is the largest body that a client may send, in bytes.
const maxBody = subset.MaxBody

// bodyTime is how long a client may take to send its body.
const bodyTime = 30 * time.Second

// request is what a client asks of a shape, parsed.
type request struct {
	logRequest
	params map[string]string
	subset *subset.Request // nil: a read of the log
	gzip   bool            // the client takes it
}

// serveShape answers requests for the shape that name finds in them.
func (h *Handler) serveShape(name func(*gin.Context) string) gin.HandlerFunc {
	return func(c *gin.Context) {
		x, err := h.newExchange(c, name)
		if err == nil {
			defer x.release()
			err = x.serve(c)
		}
		if err != nil {
			h.fail(c, err)
		}
	}
}

// newExchange authenticates a request and reads everything of it but its body.
func (h *Handler) newExchange(c *gin.Context, name func(*gin.Context) string) (*exchange, error) {
	if h.ready != nil && !h.ready() {
		return nil, &problem{kind: unavailable, message: "starting"}
	}
	creds, err := credentialsOf(c.Request)
	if err != nil {
		return nil, err
	}
	// Without credentials that hold, nothing is told of what there is.
	subject, at, err := h.identify(c.Request.Context(), creds)
	if err != nil {
		return nil, err
	}
	q, err := parseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	shape, ok := h.shapes[name(c)]
	if !ok {
		return nil, &problem{kind: notFound, message: "no such shape", field: "table"}
	}
	x := &exchange{h: h, shape: shape, w: c.Writer}
	x.access = &access{h: h, creds: creds, subject: subject, strict: shape.isStrict()}
	if x.access.fresh, err = freshness(c.Request); err != nil {
		return nil, err
	}
	if x.access.fresh == "" {
		x.access.fresh = at
	}
	x.req.gzip = acceptsGzip(c.Request.Header)
	if x.req.logRequest, err = parseLogRequest(q); err != nil {
		return nil, err
	}
	x.req.params, err = shapeParams(shape.def, q)
	return x, err
}

// contextOf gathers what of a request may enter the caveat context.
func contextOf(r *http.Request) requestContext {
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

// serve answers the request. While one is held, as thousands are, this stack is there for
// each of them: so what is done before is done in calls that have returned.
func (x *exchange) serve(c *gin.Context) error {
	waiting, err := x.serveNow(c.Request.Context(), c)
	if err == nil && waiting != nil {
		err = x.hold(c.Request.Context(), waiting)
	}
	if errors.Is(err, errStaleHandle) && !c.Writer.Written() {
		writeMustRefetch(c.Writer, x.refetchHandle())
		return nil
	}
	return err
}

// refetchHandle is the handle of an answer that says must-refetch. It is new, and good for
// nothing: Electric has no log of its name.
func (x *exchange) refetchHandle() string {
	c := cursor.Now("0", electric.Start, authz.Decision{At: x.h.now()})
	return x.h.key.Seal(&c, x.scope())
}

// serveNow authorizes the request and answers it, unless it is one to be held, which it
// returns.
func (x *exchange) serveNow(ctx context.Context, c *gin.Context) (held, error) {
	body, err := readBody(c)
	if err != nil {
		return nil, err
	}
	q, err := x.shape.question(x.access.subject, x.req.params, contextOf(c.Request))
	if err != nil {
		return nil, err
	}
	if x.access.sub, err = x.h.authorizer.Subscribe(q); err != nil {
		return nil, err
	}
	d, err := x.access.decide(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.openSource(ctx, d); err != nil {
		return nil, err
	}
	if x.req.subset, err = x.parseSubset(body, c.Request.URL.Query()); err != nil {
		return nil, err
	}
	if x.req.subset != nil {
		return nil, x.serveSubset(ctx, d)
	}
	return x.serveLog(ctx, d)
}

// serveLog answers a read of the log, unless it is one to be held.
func (x *exchange) serveLog(ctx context.Context, d authz.Decision) (held, error) {
	if err := x.req.checkLog(); err != nil {
		return nil, err
	}
	switch {
	case x.req.offset == electric.Now, x.req.offset == electric.BeforeAll && x.req.log == electric.LogChangesOnly:
		return nil, x.servePosition(ctx, d)
	case x.req.offset == electric.BeforeAll && x.shape.readsStored():
		return nil, x.serveStored(ctx)
	case x.req.offset == electric.BeforeAll:
		return nil, x.serveInitial(ctx, d)
	}
	if err := x.openCursor(); err != nil {
		return nil, err
	}
	switch {
	case !x.req.live:
		return nil, x.serveCatchUp(ctx)
	case x.req.sse:
		return heldEvents{x}, nil
	default:
		return x.newLongPoll(), nil
	}
}

// hold holds a request, unless too many are.
func (x *exchange) hold(ctx context.Context, waiting held) error {
	end, err := x.h.waits.begin(x.access.subject.String())
	if err != nil {
		return err
	}
	defer end()
	gauge := x.h.metrics.held.WithLabelValues(x.shape.def.Name)
	gauge.Inc()
	defer gauge.Dec()
	return waiting.wait(ctx)
}

func readBody(c *gin.Context) ([]byte, error) {
	if c.Request.Method != http.MethodPost {
		return nil, nil
	}
	// A body is short: a client that takes long to send it holds a connection for nothing.
	control := http.NewResponseController(c.Writer)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	_ = control.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, invalid("body", "did not arrive in time")
	}
	return body, err
}

// openSource finds the log to read. What the table looks like decides which one that is,
// so it has to be known first.
func (x *exchange) openSource(ctx context.Context, d authz.Decision) error {
	spec := func() *electric.LogSpec {
		return x.shape.logSpec(x.req.params, d.Grants.IsEverything(), x.req.replica)
	}
	if x.shape.table.Load() == nil {
		resp, err := x.h.electric.ReadLog(ctx, spec(), electric.LogRequest{Offset: electric.Now})
		if err != nil {
			return x.explain(err)
		}
		x.shape.learn(resp.Schema)
		if err := resp.Close(); err != nil {
			return err
		}
	}
	if err := x.shape.checkFilterTypes(); err != nil {
		return err
	}
	x.source = &source{feeds: x.h.feeds, electric: x.h.electric, shape: x.shape, spec: spec(), subject: x.access.subject.String()}
	return nil
}
