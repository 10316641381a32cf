package proxy

import (
	"context"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
)

// serveInitial answers the first read of a log: the rows that the reader may see, from a
// subset snapshot, as a log that inserts them. Electric's stored log is not used: it
// holds the past, drafts and deleted rows included, and a grant covers the present.
//
// The log's position is taken before the snapshot. Taken the other way round, what
// changed in between would be lost. What the snapshot has seen of the log is late: the
// handle has a step for it.
func (x *exchange) serveInitial(ctx context.Context, d authz.Decision) error {
	at, table, err := x.source.position(ctx)
	if err != nil {
		return x.explain(err)
	}
	var r *rows
	defer func() { r.Close() }()
	g, err := x.settle(ctx, d, func(d authz.Decision) (_ authz.Decision, err error) {
		r.Close()
		r, err = x.openRows(ctx, &subset.Request{}, d.Grants)
		return d, err
	})
	if err != nil {
		return x.explain(err)
	}
	fence, err := r.Fence()
	if err != nil {
		return err
	}
	if err := x.begun(cursor.FirstRead(at.Handle, at.Offset, g.named, fence)); err != nil {
		return err
	}
	if err := x.leaveOut(g); err != nil {
		return err
	}
	out := beginArray(x.w, shapeHeaders{handle: x.handle(), offset: at.Offset, schema: table, upToDate: true, hasData: true})
	if err := x.writeRows(ctx, out, r, g); err != nil {
		return aborted(err)
	}
	_ = out.add(snapshotEnd(r.metadata))
	_ = out.add(feed.UpToDateMessage(at.Offset.LSN()))
	return out.end()
}

// begun notes the cursor of a client that begins. Where so many transactions are open
// that the handle would be too long to be read again, there is none yet.
func (x *exchange) begun(c cursor.Cursor) error {
	x.become(c, true)
	if len(x.handle()) > cursor.MaxHandle {
		return &problem{kind: unavailable, message: "the database has too many open transactions", retryAfter: spread(retryHeld)}
	}
	return nil
}

// servePosition answers a first read that asks for changes alone, or for what comes from
// now on: where the log ends, and nothing of it.
func (x *exchange) servePosition(ctx context.Context, d authz.Decision) error {
	at, table, err := x.source.positionNow(ctx)
	if err != nil {
		return x.explain(err)
	}
	x.become(cursor.Now(at.Handle, at.Offset, d), true)
	out := beginArray(x.w, shapeHeaders{handle: x.handle(), offset: at.Offset, schema: table, upToDate: true})
	_ = out.add(feed.UpToDateMessage(at.Offset.LSN()))
	return out.end()
}

// serveStored answers the first read of a shape whose first_read is "stored", by a reader
// that sees every row: the beginning of Electric's stored log.
func (x *exchange) serveStored(ctx context.Context) error {
	p, err := x.source.read(ctx, feed.Place{Offset: electric.BeforeAll})
	if err != nil {
		return x.explain(err)
	}
	defer closing(p)
	d, err := x.access.reauthorizeLog(ctx)
	if err != nil {
		return err
	}
	if !d.Grants.IsEverything() {
		return errStaleHandle
	}
	x.become(cursor.Now(p.End.Handle, electric.Start, d), true)
	_, err = x.deliver(ctx, p, d, true)
	return err
}
