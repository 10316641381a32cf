package proxy

import (
	"context"
)

// serveCatchUp answers a read of the messages after an offset that does not wait. A grant
// may be revoked, and the row written, while the read is on its way: so the reader is
// authorized when the messages are there.
func (x *exchange) serveCatchUp(ctx context.Context) error {
	p, err := x.source.read(ctx, x.place())
	if err != nil {
		return err
	}
	defer closing(p)
	d, err := x.access.reauthorizeLog(ctx)
	if err != nil {
		return err
	}
	served, err := x.isServed(d)
	switch {
	case err != nil:
		return err
	case !served:
		return x.serveResync(ctx, p, d)
	}
	_, err = x.deliver(ctx, p, d, true)
	return err
}
