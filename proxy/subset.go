package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// subsetRead answers a request for a subset: with the rows that the client asked for and may
// see, as they are now.
//
// The client takes the handle and the offset of the answer for its log. So an answer to a
// request with a handle carries the same two, and no rows but those that the handle names:
// rows that were served and are permitted today. The resync that the same change of grants
// wakes brings the rest. Where something that was served is not permitted today, the
// handle is another one, which says so. For the same reason a subset never answers 409: the
// client would only swap its handle, and keep its rows. Where the handle is not good, or its
// grants are forgotten, the answer has no rows, and the next read of the log answers 409. So
// it does where a handle cannot name all that was lost since.
type subsetRead struct {
	x      *exchange
	d      authz.Decision
	served authz.Grants // what the client surely was served; nothing if no handle says it
}

func (s *subsetRead) serve(ctx context.Context) error {
	x := s.x
	if err := s.recall(ctx); err != nil {
		return err
	}
	var r snapshot
	defer func() { closeSnapshot(r) }()
	g, err := x.access.settle(ctx, s.d, func(d *authz.Decision) (err error) {
		d.Grants = s.mayBring(*d)
		closeSnapshot(r)
		r, err = x.source.open(ctx, x.req.subset, d.Grants)
		return err
	})
	if err != nil {
		return err
	}
	at, table := r.begin()
	head := shapeHeaders{schema: table, snapshot: true}
	if head.handle, head.offset, err = s.place(r, at, g); err != nil {
		return err
	}
	head.write(x.w.Header())
	x.w.Header().Set("Content-Type", jsonType)
	x.w.WriteHeader(http.StatusOK)
	if err := s.write(ctx, r, g); err != nil {
		return aborted(err)
	}
	return nil
}

// continues reports whether the request comes with a handle.
func (s *subsetRead) continues() bool { return s.x.req.offset.IsPosition() }

// recall reads the handle that the client came with, if any, and recalls what the client
// surely was served.
func (s *subsetRead) recall(ctx context.Context) error {
	if !s.continues() {
		return nil
	}
	err := s.x.client.open()
	if err == nil {
		s.served, err = s.x.named().surely(ctx, s.d)
	}
	if errors.Is(err, errStaleHandle) {
		return nil
	}
	return err
}

// mayBring returns the grants whose rows the answer may bring: those of a decision that the
// client surely was served, or all, where the request comes without a handle.
func (s *subsetRead) mayBring(d authz.Decision) authz.Grants {
	if !s.continues() || s.x.client.cursor.Served.Fingerprint == d.Fingerprint {
		return d.Grants
	}
	return s.served.And(d.Grants)
}

// place returns the handle and the offset of the answer: where the client's log goes on.
func (s *subsetRead) place(r snapshot, from feed.Place, g *guard) (handle string, at electric.Offset, err error) {
	if !s.continues() {
		return s.begin(r, from, g)
	}
	return s.handle(g), s.x.req.offset, nil
}

// begin is place for a client that came without a handle: a first read at the snapshot's
// position.
func (s *subsetRead) begin(r snapshot, from feed.Place, g *guard) (handle string, at electric.Offset, err error) {
	fence, err := r.Fence()
	if err != nil {
		return "", at, err
	}
	if err := s.x.client.begun(from, g, fence); err != nil {
		return "", at, err
	}
	return s.x.client.sealed(), from.Offset, nil
}

// handle returns the handle for a client that has one: the same, most often. Where ids are
// left out that the client was served, the handle must say so. They may be given back before
// the next read of the log, which then would bring nothing of them.
func (s *subsetRead) handle(g *guard) string {
	same := true
	// What the rows were asked for with may lack ids that are granted again by now.
	for _, d := range []authz.Decision{g.named, g.now} {
		if s.served.Minus(d.Grants).IsEmpty() {
			continue
		}
		same = false
		if s.x.client.onward(d) != nil {
			return s.x.client.another() // good for nothing
		}
	}
	if same {
		return s.x.req.handle
	}
	return s.x.client.sealed()
}

// write writes the answer's object. Its rows may be many; they are written as they are read.
func (s *subsetRead) write(ctx context.Context, rows snapshot, g *guard) error {
	b := borrowWriter(s.x.w)
	_, _ = io.WriteString(b, `{"data":`)
	out := newArrayWriter(b)
	if err := rows.write(ctx, out, g); err != nil {
		return err
	}
	out.close()
	_, _ = io.WriteString(b, `,"metadata":`)
	_, _ = b.Write(rows.meta().Raw)
	_ = b.WriteByte('}')
	return finish(b)
}
