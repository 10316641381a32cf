package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// serveSubset answers a request for a subset: the rows that the client asked for and may
// see, as they are now.
//
// The client takes the handle and the offset of the answer for its log. So an answer to a
// request with a handle carries the same two, and no rows but those that the handle names:
// rows that were served and are permitted today. The resync that the same change of grants
// wakes brings the rest. Where something that was served is not permitted today, the
// handle is another one, which says so. For the same reason a subset never answers 409: the client would
// only swap its handle, and keep its rows. Where the handle is not good, or its grants are
// forgotten, the answer has no rows, and the next read of the log answers 409.
func (x *exchange) serveSubset(ctx context.Context, d authz.Decision) error {
	if err := x.req.checkSubset(); err != nil {
		return err
	}
	if err := x.countLog(); err != nil {
		return err
	}
	continues := x.req.offset.IsPosition()
	var r *rows
	defer func() { r.Close() }()
	g, err := x.settle(ctx, d, func(d authz.Decision) (_ authz.Decision, err error) {
		if continues {
			if d.Grants, err = x.servedForSubset(ctx, d); err != nil {
				return d, err
			}
		}
		r.Close()
		r, err = x.openRows(ctx, x.req.subset, d.Grants)
		return d, err
	})
	if err != nil {
		return x.explainSubset(err)
	}
	head := shapeHeaders{handle: x.req.handle, offset: x.req.offset, schema: r.first.Schema, snapshot: true}
	if continues {
		if head.handle, err = x.subsetHandle(ctx, g); err != nil {
			return err
		}
	} else {
		fence, err := r.Fence()
		if err != nil {
			return err
		}
		if err := x.begun(cursor.FirstRead(r.first.Handle, r.first.Offset, g.named, fence)); err != nil {
			return err
		}
		if err := x.leaveOut(g); err != nil {
			return err
		}
		head.handle, head.offset = x.handle(), r.first.Offset
	}
	head.write(x.w.Header())
	x.w.Header().Set("Content-Type", jsonType)
	x.w.WriteHeader(http.StatusOK)
	if err := x.writeSnapshot(ctx, r, g); err != nil {
		return aborted(err)
	}
	return nil
}

// countLog counts a log that values of the client's name among those of its subject, as
// a read of the log does. Electric makes a shape for each, for a subset as well, and
// keeps it.
func (x *exchange) countLog() error {
	if x.narrowed == nil && len(x.shape.def.Params) == 0 {
		return nil
	}
	_, err := x.source.open()
	return err
}

// servedForSubset returns what the client surely was served and may still see: nothing,
// if its handle does not say.
func (x *exchange) servedForSubset(ctx context.Context, d authz.Decision) (authz.Grants, error) {
	served, err := x.surely(ctx, d)
	switch {
	case errors.Is(err, errStaleHandle):
		return authz.Grants{}, nil
	case err != nil || x.client.cursor.Served.Fingerprint == d.Fingerprint:
		return served, err
	}
	return served.And(d.Grants), nil
}

// surely recalls what the client surely was served. The error is errStaleHandle if its
// handle does not say.
func (x *exchange) surely(ctx context.Context, d authz.Decision) (authz.Grants, error) {
	if err := x.openCursor(); err != nil {
		return authz.Grants{}, err
	}
	return x.recall(ctx, d, x.client.cursor.Surely())
}

// subsetHandle returns the handle of an answer to a client that has one: the same, most
// often. Where ids are left out that the client was served, the handle must say so. They
// may be given back before the next read of the log, which then would bring nothing of
// them.
func (x *exchange) subsetHandle(ctx context.Context, g *guard) (string, error) {
	served, err := x.surely(ctx, g.now)
	switch {
	case errors.Is(err, errStaleHandle):
		return x.req.handle, nil
	case err != nil:
		return "", err
	case served.Minus(g.now.Grants).IsEmpty():
		return x.req.handle, nil
	}
	if err := x.onward(g.now); err != nil {
		return "", &problem{kind: unavailable, message: "your permissions change too fast", cause: err}
	}
	return x.handle(), nil
}

// writeSnapshot writes the answer's object. Its rows may be many; they are written as
// they are read.
func (x *exchange) writeSnapshot(ctx context.Context, rows *rows, g *guard) error {
	b := borrowWriter(x.w)
	_, _ = io.WriteString(b, `{"data":`)
	out := newArrayWriter(b)
	if err := x.writeRows(ctx, out, rows, g); err != nil {
		return err
	}
	out.close()
	_, _ = io.WriteString(b, `,"metadata":`)
	_, _ = b.Write(rows.metadata.Raw)
	_ = b.WriteByte('}')
	return finish(b)
}

// parseSubset reads what subset the client asks for, if it asks for one: in its body, or
// in its query.
func (x *exchange) parseSubset(body []byte, query map[string][]string) (*subset.Request, error) {
	columns := x.clientColumns()
	inBody, isInBody, err := subset.ParseBody(body, columns)
	if err != nil {
		return nil, err
	}
	inQuery, isInQuery, err := subset.ParseQuery(query, columns)
	switch {
	case err != nil:
		return nil, err
	case isInBody && isInQuery:
		return nil, invalid("subset", "given both in the body and in the query")
	case isInQuery:
		return inQuery, nil
	case isInBody:
		return inBody, nil
	default:
		return nil, nil //nolint:nilnil // a read of the log
	}
}

// explainSubset makes a 400 of a where that Electric refused. The filter's part of it is
// known to be good, so what Electric refuses is the client's: most often a value that its
// column's type cannot hold.
func (x *exchange) explainSubset(err error) error {
	if errors.Is(err, electric.ErrRefused) && !isMisconfigured(err) && (x.req.subset.Where != nil || x.req.subset.OrderBy != nil) {
		return &problem{
			kind: badRequest, field: "where", cause: err,
			message: "Electric does not take this: a value may not be of its column's type, or a function may be one that Electric does not have",
		}
	}
	return x.explain(err)
}
