package proxy

import "context"

// catchUp answers a read of the messages after an offset that does not wait.
type catchUp struct{ x *exchange }

func (c *catchUp) serve(ctx context.Context) error {
	r, err := c.x.readLog(ctx, c.x.client.place())
	if err != nil {
		return err
	}
	defer closing(r.part)
	if !r.served {
		return r.resync(ctx)
	}
	_, err = r.deliver(ctx, true)
	return err
}
