package proxy

import (
	"context"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
)

// initialRead answers the first read of a log: with the rows that the reader may see, from a
// subset snapshot, as a log that inserts them. Electric's stored log is not used: it
// holds the past, drafts and deleted rows included, and a grant covers the present.
//
// The log's position is taken before the snapshot. Taken the other way round, what
// changed in between would be lost. What the snapshot has seen of the log is late: the
// handle has a step for it.
type initialRead struct {
	x *exchange
	d authz.Decision
}

func (i *initialRead) serve(ctx context.Context) error {
	x := i.x
	at, table, err := x.source.position(ctx)
	if err != nil {
		return x.req.explain(err)
	}
	var r snapshot
	defer func() { closeSnapshot(r) }()
	g, err := x.access.settle(ctx, i.d, func(d *authz.Decision) (err error) {
		closeSnapshot(r)
		r, err = x.source.open(ctx, &subset.Request{}, d.Grants)
		return err
	})
	if err != nil {
		return err
	}
	fence, err := r.Fence()
	if err != nil {
		return err
	}
	if err := x.client.begun(at, g, fence); err != nil {
		return err
	}
	out := beginArray(x.w, shapeHeaders{handle: x.client.sealed(), offset: at.Offset, schema: table, upToDate: true, hasData: true})
	if err := r.write(ctx, out, g); err != nil {
		return aborted(err)
	}
	_ = out.add(snapshotEnd(r.meta()))
	_ = out.add(feed.UpToDateMessage(at.Offset.LSN()))
	return out.end()
}
