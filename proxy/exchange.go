package proxy

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// exchange is one request, authorized, with what its answer is made of.
type exchange struct {
	server *server
	w      gin.ResponseWriter
	req    *request
	access *access
	client client
	source source
}

// newExchange brings together what the answer to a request is made of. scope is what the
// client's handles are good for. The caller releases it.
func (s *server) newExchange(w gin.ResponseWriter, r *request, who *access, from source, scope cursor.Scope) *exchange {
	x := &exchange{server: s, w: w, req: r, access: who, source: from}
	x.client = client{key: &s.key, from: &r.logRequest, scope: scope}
	return x
}

// release ends what the exchange uses: its source, and its place among the subject's requests.
func (x *exchange) release() {
	x.source.release()
	x.access.release()
}

// answer is one kind of answer to a request.
type answer interface {
	serve(ctx context.Context) error
}

// answer finds which answer the request gets. The decision is of a moment ago.
func (x *exchange) answer(d authz.Decision) (answer, error) {
	r := x.req
	if r.subset != nil {
		return &subsetRead{x: x, d: d}, r.checkSubset()
	}
	if err := r.checkLog(); err != nil {
		return nil, err
	}
	switch {
	case r.offset == electric.Now, r.offset == electric.BeforeAll && r.log == electric.LogChangesOnly:
		return &positionRead{x, d}, nil
	case r.offset == electric.BeforeAll:
		return x.source.firstRead(x, d), nil
	}
	if err := x.client.open(); err != nil {
		return nil, err
	}
	switch {
	case !r.live:
		return &catchUp{x}, nil
	case r.sse:
		return &events{x}, nil
	default:
		return newLongPoll(x), nil
	}
}

// named returns the grants that the client's cursor names.
func (x *exchange) named() *namedGrants {
	return &namedGrants{sub: x.access.sub, client: &x.client}
}

// authorizeLog decides anew, and reports whether the client was served what is permitted
// now.
func (x *exchange) authorizeLog(ctx context.Context) (d authz.Decision, served bool, err error) {
	if d, err = x.access.reauthorizeLog(ctx); err != nil {
		return d, false, err
	}
	served, err = x.named().isServed(d)
	return d, served, err
}

// readLog reads the messages after a place, and decides when they are there: a grant may be
// revoked, and the row written, while the read is on its way. The caller closes the part.
func (x *exchange) readLog(ctx context.Context, after feed.Place) (*logRead, error) {
	p, err := x.source.read(ctx, after)
	if err != nil {
		return nil, err
	}
	r := &logRead{x: x, part: p}
	if r.d, r.served, err = x.authorizeLog(ctx); err != nil {
		closing(p)
		return nil, err
	}
	return r, nil
}

// head is the head of an answer that brings the client to the end of a part. The client
// of a live request knows what the table looks like, and needs a cursor.
func (x *exchange) head(p *feed.Part) shapeHeaders {
	head := shapeHeaders{handle: x.client.sealed(), offset: p.End.Offset, upToDate: p.UpToDate, hasData: true}
	if x.req.live {
		head.cursor = nextCursor(time.Now(), x.req.cursor)
	} else {
		head.schema = p.Schema
	}
	return head
}
