package proxy

import (
	"context"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/feed"
)

// positionRead answers a first read that asks for changes alone, or for what comes from now
// on: with where the log ends, and nothing of it.
type positionRead struct {
	x *exchange
	d authz.Decision
}

func (p *positionRead) serve(ctx context.Context) error {
	x := p.x
	at, table, err := x.source.positionNow(ctx)
	if err != nil {
		return x.req.explain(err)
	}
	x.client.become(cursor.Now(at.Handle, at.Offset, p.d), true)
	out := beginArray(x.w, shapeHeaders{handle: x.client.sealed(), offset: at.Offset, schema: table, upToDate: true})
	_ = out.add(feed.UpToDateMessage(at.Offset.LSN()))
	return out.end()
}
