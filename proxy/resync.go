package proxy

import (
	"context"

	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/feed"
)

// resync is the part of an answer that brings a client from the grants that it was served
// to those of a decision.
type resync struct {
	x     *exchange
	of    cursor.Resync
	guard *guard
	body  resyncBody
}

// resyncBody is what a resync sends.
type resyncBody interface {
	// write sends the messages of a part of the log up to the resync, then what goes and what
	// comes. It returns the up-to-date message that comes next.
	write(ctx context.Context, p *feed.Part, g *guard, send func(message []byte) error) (upToDate []byte, err error)
	Close()
}

func (r *resync) Close() { r.body.Close() }

// answer answers a read of the log that has reached its end.
func (r *resync) answer(ctx context.Context, p *feed.Part) error {
	c := &r.x.client
	next, ok := c.cursor.Resynced(r.of)
	if !ok {
		return errStaleHandle
	}
	c.become(next, true)
	c.passed(p, r.guard.named)
	if err := r.guard.leaveOut(c); err != nil {
		return err
	}
	out := beginArray(r.x.w, r.x.head(p))
	upToDate, err := r.body.write(ctx, p, r.guard, out.add)
	if err != nil {
		return aborted(err)
	}
	_ = out.add(upToDate)
	return out.end()
}
