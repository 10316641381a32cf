package grants

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// arrival is how long one change took to arrive.
type arrival struct {
	start, end time.Duration
	lost       bool
}

// watch makes changes, and looks when they are with the clients of those that they
// concern.
type watch struct {
	clients  []*client     // by person
	pause    time.Duration // at most, between changes in turn
	patience time.Duration // for one change
}

// inTurn begins a change once the one before has arrived, and a pause later.
func (w *watch) inTurn(ctx context.Context, changes []change) ([]arrival, error) {
	arrivals := make([]arrival, len(changes))
	for i, c := range changes {
		select {
		case <-time.After(rand.N(w.pause + 1)): //nolint:gosec // it guards nothing
		case <-ctx.Done():
		}
		var err error
		if arrivals[i], err = w.arrival(ctx, c); err != nil {
			return nil, err
		}
	}
	return arrivals, nil
}

// atRate begins a change at every tick, whether or not those before have arrived.
func (w *watch) atRate(ctx context.Context, changes []change, rate float64) ([]arrival, error) {
	arrivals := make([]arrival, len(changes))
	errs := make([]error, len(changes))
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	var under sync.WaitGroup
	for i, c := range changes {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		under.Go(func() { arrivals[i], errs[i] = w.arrival(ctx, c) })
	}
	under.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return arrivals, nil
}

// arrival makes one change, and waits until the client shows it.
func (w *watch) arrival(ctx context.Context, c change) (arrival, error) {
	r := w.clients[c.person].replica
	r.grant(c.grants)
	a := r.await(c.met)
	defer r.forget(a)
	start := time.Now()
	if err := c.write(ctx); err != nil {
		return arrival{}, err
	}
	end := time.Now()
	patience := time.NewTimer(w.patience)
	defer patience.Stop()
	select {
	case at := <-a.at:
		r.revoked(c.revokes)
		return arrival{start: at.Sub(start), end: at.Sub(end)}, nil
	case <-patience.C:
		return arrival{lost: true}, nil
	case <-ctx.Done():
		return arrival{}, context.Cause(ctx)
	}
}
