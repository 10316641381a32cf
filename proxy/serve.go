package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

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
	metrics    *metrics
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
}

// serve answers a request for the shape of a name. While one is held, as thousands are,
// this stack is there for each of them: so what is done before is done in calls that have
// returned.
func (s *shapeServer) serve(c *gin.Context, name string) error {
	s.giveWay(c.Request)
	who, err := s.admit(c)
	if err != nil {
		return err
	}
	defer who.release()
	x, a, err := s.begin(c, name, who)
	if x == nil {
		return err
	}
	defer x.log.release()
	if err == nil && x.req.live {
		err = s.hold(c.Request.Context(), x, a)
	} else if err == nil {
		err = a.serve(c.Request.Context())
	}
	if errors.Is(err, errStaleHandle) && !c.Writer.Written() {
		writeMustRefetch(c.Writer, x.client.another())
		return nil
	}
	return err
}

// giveWay delays a live request while readers that a message has just woken are answered.
// Most often the request comes from the client of one that was answered already. It is done
// first, so that all work for thousands of such requests comes later, too.
func (s *shapeServer) giveWay(r *http.Request) {
	if strings.Contains(r.URL.RawQuery, "live=true") {
		s.upstream.feeds.GiveWay(r.Context())
	}
}

// admit authenticates a request, and admits it within its subject's limits. Without valid
// credentials, the answer does not say which shapes there are. The caller releases the
// access.
func (s *shapeServer) admit(c *gin.Context) (*access, error) {
	if s.ready != nil && !s.ready() {
		return nil, &problem{kind: unavailable, message: "starting"}
	}
	creds, err := s.auth.credentials(c.Request)
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
	return &access{auth: s.auth, creds: creds, subject: subject, place: place, decisions: &s.metrics.decisions, fresh: fresh}, nil
}

// begin parses and authorizes a request, and finds what is read for it and which answer it
// gets. Where it returns an exchange, the caller releases the exchange's log, whatever the
// error.
func (s *shapeServer) begin(c *gin.Context, name string, who *access) (*exchange, answer, error) {
	ctx := c.Request.Context()
	q, err := parseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, nil, err
	}
	r, err := s.parse(c.Request, q, name, who)
	if err != nil {
		return nil, nil, err
	}
	body, err := s.bodies.read(c)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.authorize(c.Request, r, who)
	if err != nil {
		return nil, nil, err
	}
	if err := s.learn(ctx, r, d); err != nil {
		return nil, nil, err
	}
	if err := r.narrow(); err != nil {
		return nil, nil, err
	}
	if err := r.parseSubset(body, q); err != nil {
		return nil, nil, err
	}
	x := s.newExchange(c.Writer, r, who, d)
	a, err := x.answer(d)
	return x, a, err
}

// parse reads everything of a request but its body, and what can only be understood once
// the table is known.
func (s *shapeServer) parse(from *http.Request, q url.Values, name string, who *access) (*request, error) {
	shape, ok := s.shapes[name]
	if !ok {
		return nil, &problem{kind: notFound, message: "no such shape", field: "table"}
	}
	who.strict = shape.isStrict()
	fresh, err := freshness(from)
	if err != nil {
		return nil, err
	}
	if fresh != "" {
		who.fresh = fresh
	}
	return parseRequest(from, q, shape)
}

// authorize subscribes to what the subject may see, and decides for the first time.
func (s *shapeServer) authorize(from *http.Request, r *request, who *access) (authz.Decision, error) {
	q, err := r.shape.question(who.subject, r.params, clientIP(from))
	if err != nil {
		return authz.Decision{}, err
	}
	if who.sub, err = s.authorizer.Subscribe(q); err != nil {
		return authz.Decision{}, err
	}
	return who.decide(from.Context())
}

// learn asks Electric what the shape's table looks like, if that is not known yet, and
// checks that the shape fits it.
func (s *shapeServer) learn(ctx context.Context, r *request, d authz.Decision) error {
	t := &r.shape.table
	if !t.isKnown() {
		resp, err := s.upstream.electric.ReadLog(ctx, r.logSpec(d), electric.LogRequest{Offset: electric.Now})
		if err != nil {
			return r.explain(err)
		}
		t.learn(resp.Schema)
		if err := resp.Close(); err != nil {
			return err
		}
	}
	return t.checkFilterTypes()
}

// hold answers a request that waits, unless too many do.
func (s *shapeServer) hold(ctx context.Context, x *exchange, a answer) error {
	if err := x.access.place.hold(); err != nil {
		return err
	}
	gauge := s.metrics.held.WithLabelValues(x.req.shape.def.Name)
	gauge.Inc()
	defer gauge.Dec()
	return a.serve(ctx)
}
