package readers

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// running is clients while they run: until close, or until the first is refused.
type running struct {
	ctx   context.Context //nolint:containedctx // the clients' own
	stop  context.CancelFunc
	group *errgroup.Group
}

func newRunning(ctx context.Context) running {
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	return running{ctx: ctx, stop: stop, group: group}
}

// await waits for something that the clients do.
func (r *running) await(done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-r.ctx.Done():
		return r.cause()
	}
}

// cause is why the clients have ended.
func (r *running) cause() error { return context.Cause(r.ctx) }

// close ends the clients, and returns when no request of theirs is left.
func (r *running) close() error {
	r.stop()
	return r.group.Wait()
}
