package proxy

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// shapeServer answers requests for shapes.
type shapeServer struct {
	*server
	shapes   map[string]*shape
	upstream upstream
}

// upstream is Electric, and what is kept of and for it.
type upstream struct {
	electric *electric.Client
	feeds    *feed.Feeds
	literals *literals
	shared   sharedSnapshots

	forwarded *forwardedLogs // that others read
}

// serve answers a request for the shape of a name. While one is held, as thousands are,
// this stack is there for each of them: so what is done before is done in calls that have
// returned. A stack of which 3.2 KiB are in use shrinks to 8 KiB, and not with a little more.
// The load tool's memory command shows it.
//
// The answer after the wait fits into the 8 KiB, too. Where the stack has to grow for it, it is
// copied, and thousands of resyncs take a tenth longer: runtime.newstack in a CPU profile of
// the load tool's created command shows it.
func (s *shapeServer) serve(c *gin.Context, name string) error {
	x, a, err := s.take(c, name)
	return s.respond(c.Request.Context(), x, a, err)
}

// take takes a request, when it is its turn.
func (s *shapeServer) take(c *gin.Context, name string) (*exchange, answer, error) {
	s.giveWay(c.Request)
	return s.open(c.Request, s.auth.readerCredentials, func(who *access) (*exchange, answer, error) { return s.begin(c, name, who) })
}

// giveWay delays a live request while many readers are answered that were just woken. Most
// often the request comes from the client of one that was answered already. It is done
// first, so that all work for thousands of such requests comes later, too.
func (s *shapeServer) giveWay(r *http.Request) {
	if strings.Contains(r.URL.RawQuery, "live=true") {
		s.rushes.GiveWay(r.Context())
	}
}

// begin parses and authorizes a request, and finds what is read for it and which answer it
// gets.
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
	d, err := s.authorize(c.Request, r.def, r.shape.label, r.params, who)
	if err != nil {
		return nil, nil, err
	}
	if err := s.learn(ctx, r, d); err != nil {
		return nil, nil, err
	}
	if err := r.narrow(); err != nil {
		return nil, nil, err
	}
	if err := who.checkNarrowing(r); err != nil {
		return nil, nil, err
	}
	if err := r.parseSubset(body, q, r.tableForClient()); err != nil {
		return nil, nil, err
	}
	x := s.newExchange(c.Writer, &r.request, who, s.newSource(r, who, d), r.scope(who.subject.String()))
	a, err := x.answer(d)
	return x, a, err
}

// parse reads everything of a request but its body, and what can only be understood once
// the table is known.
func (s *shapeServer) parse(from *http.Request, q url.Values, name string, who *access) (*shapeRequest, error) {
	if err := who.checkName(name); err != nil {
		return nil, err
	}
	shape, ok := s.shapes[name]
	if !ok {
		return nil, &problem{kind: notFound, message: "no such shape", field: "table"}
	}
	if err := who.want(from, &shape.def.Guarded); err != nil {
		return nil, err
	}
	who.confirms = true
	r, err := parseRequest(from, q, &shape.def.Guarded)
	if err != nil {
		return nil, err
	}
	return &shapeRequest{request: r, shape: shape}, who.checkParams(&r)
}

// learn asks Electric what the shape's table looks like, if that is not known yet, and
// checks that the shape fits it.
func (s *shapeServer) learn(ctx context.Context, r *shapeRequest, d authz.Decision) error {
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
