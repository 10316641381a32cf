package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
)

// request is what a client asks of a shape, parsed.
type request struct {
	logRequest
	params map[string]string
	subset *subset.Request // nil: a read of the log
	gzip   bool            // the client takes it
}

// shapeServer answers requests for shapes.
type shapeServer struct {
	shapes     map[string]*shape
	ready      func() bool // nil: shapes may always be served
	auth       *authentication
	limiter    *limiter
	authorizer Authorizer
	upstream   upstream
	key        cursor.Key
	bodies     bodies
	holding    holding
	log        *slog.Logger
}

// upstream is Electric, and what is kept of and for it.
type upstream struct {
	electric *electric.Client
	feeds    *feed.Feeds
	literals *literals
}

// holding says how long requests are held.
type holding struct {
	longPoll, stream, keepAlive time.Duration

	draining context.Context //nolint:containedctx // ends with Handler.Drain
	held     *prometheus.GaugeVec
}

// serve answers a request for the shape of a name.
func (s *shapeServer) serve(c *gin.Context, name string) error {
	x, err := s.newExchange(c)
	if err != nil {
		return err
	}
	defer x.release()
	if err := x.parse(c, name); err != nil {
		return err
	}
	return x.serve(c)
}

// newExchange authenticates a request, and admits it within its subject's limits. Without
// valid credentials, the answer does not say which shapes there are.
func (s *shapeServer) newExchange(c *gin.Context) (*exchange, error) {
	if s.ready != nil && !s.ready() {
		return nil, &problem{kind: unavailable, message: "starting"}
	}
	creds, err := credentialsOf(c.Request)
	if err != nil {
		return nil, err
	}
	subject, fresh, err := s.auth.identify(c.Request.Context(), &creds)
	if err != nil {
		return nil, err
	}
	place, err := s.limiter.admit(c.Request.Context(), subject.String())
	if err != nil {
		return nil, err
	}
	return &exchange{
		s: s, w: c.Writer,
		access: &access{auth: s.auth, creds: creds, subject: subject, place: place, fresh: fresh},
	}, nil
}

// parse reads everything of a request but its body.
func (x *exchange) parse(c *gin.Context, name string) error {
	q, err := parseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return err
	}
	var ok bool
	if x.shape, ok = x.s.shapes[name]; !ok {
		return &problem{kind: notFound, message: "no such shape", field: "table"}
	}
	c.Set(shapeKey, x.shape.def.Name)
	x.access.strict = x.shape.isStrict()
	fresh, err := freshness(c.Request)
	if err != nil {
		return err
	}
	if fresh != "" {
		x.access.fresh = fresh
	}
	x.req.gzip = acceptsGzip(c.Request.Header)
	if x.req.logRequest, err = parseLogRequest(q); err != nil {
		return err
	}
	if x.req.sse && c.Request.Method == http.MethodHead {
		return invalid("live_sse", "an answer to HEAD has no stream")
	}
	if x.req.params, err = shapeParams(x.shape.def, q); err != nil {
		return err
	}
	return checkKeys(q, x.shape.def)
}

// clientIP is the address that a request came from; empty: it is not known.
func clientIP(r *http.Request) string {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return ip
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
	c := cursor.Now("0", electric.Start, authz.Decision{At: authz.Moment{Time: time.Now()}})
	return x.s.key.Seal(&c, x.scope())
}

// serveNow authorizes the request and answers it, unless it is one to be held, which it
// returns.
func (x *exchange) serveNow(ctx context.Context, c *gin.Context) (held, error) {
	body, err := x.s.bodies.read(c)
	if err != nil {
		return nil, err
	}
	q, err := x.shape.question(x.access.subject, x.req.params, clientIP(c.Request))
	if err != nil {
		return nil, err
	}
	if x.access.sub, err = x.s.authorizer.Subscribe(q); err != nil {
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
	if err := x.access.place.hold(); err != nil {
		return err
	}
	gauge := x.s.holding.held.WithLabelValues(x.shape.def.Name)
	gauge.Inc()
	defer gauge.Dec()
	return waiting.wait(ctx)
}

// openSource finds the log to read. What the table looks like decides which one that is,
// so it has to be known first.
func (x *exchange) openSource(ctx context.Context, d authz.Decision) error {
	spec := func() *electric.LogSpec {
		return x.shape.logSpec(x.req.params, d.Grants.IsEverything(), x.req.replica)
	}
	if !x.shape.table.isKnown() {
		resp, err := x.s.upstream.electric.ReadLog(ctx, spec(), electric.LogRequest{Offset: electric.Now})
		if err != nil {
			return x.explain(err)
		}
		x.shape.table.learn(resp.Schema)
		if err := resp.Close(); err != nil {
			return err
		}
	}
	if err := x.shape.table.checkFilterTypes(); err != nil {
		return err
	}
	if err := x.narrow(); err != nil {
		return err
	}
	x.source = &source{
		feeds: x.s.upstream.feeds, electric: x.s.upstream.electric, place: x.access.place, shape: x.shape,
		spec: narrowSpec(spec(), x.narrowed), narrowed: x.narrowed != nil, subject: x.access.subject.String(),
	}
	return nil
}
