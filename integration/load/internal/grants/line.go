package grants

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/metrics"
	"github.com/shapegate/shapegate/integration/load/internal/quantile"
)

// line is what one scenario took.
type line struct {
	scenario, mode string
	samples, lost  int
	start, end     quantile.Quantiles // from before the write, and from when it returned
	counts         metrics.Values     // of all changes together
}

// arrival is how long one change took to arrive.
type arrival struct {
	start, end time.Duration
	lost       bool
}

// line makes the changes of a scenario, one after the other or at a rate.
func (l *load) line(ctx context.Context, s scenario, rate float64) (line, error) {
	before, err := l.d.counts(ctx)
	if err != nil {
		return line{}, err
	}
	var arrivals []arrival
	if rate == 0 {
		arrivals, err = l.inTurn(ctx, s.changes)
	} else {
		arrivals, err = l.atRate(ctx, s.changes, rate)
	}
	if err != nil {
		return line{}, fmt.Errorf("%s: %w", s.name, err)
	}
	after, err := l.d.counts(ctx)
	if err != nil {
		return line{}, err
	}
	n := line{scenario: s.name, mode: modeName(rate), samples: len(arrivals), counts: after.Since(before)}
	var start, end []time.Duration
	for _, a := range arrivals {
		if a.lost {
			n.lost++
			continue
		}
		start, end = append(start, a.start), append(end, a.end)
	}
	n.start, n.end = quantile.Of(start), quantile.Of(end)
	return n, nil
}

func (l *load) inTurn(ctx context.Context, changes []change) ([]arrival, error) {
	arrivals := make([]arrival, len(changes))
	for i, c := range changes {
		select {
		case <-time.After(rand.N(l.o.pause + 1)): //nolint:gosec // it guards nothing
		case <-ctx.Done():
		}
		var err error
		if arrivals[i], err = l.arrival(ctx, c); err != nil {
			return nil, err
		}
	}
	return arrivals, nil
}

// atRate begins a change at every tick, whether or not those before have arrived.
func (l *load) atRate(ctx context.Context, changes []change, rate float64) ([]arrival, error) {
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
		under.Go(func() { arrivals[i], errs[i] = l.arrival(ctx, c) })
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
func (l *load) arrival(ctx context.Context, c change) (arrival, error) {
	r := l.clients[c.person].replica
	r.grant(c.grants)
	a := r.await(c.met)
	defer r.forget(a)
	start := time.Now()
	if err := c.write(ctx); err != nil {
		return arrival{}, err
	}
	end := time.Now()
	patience := time.NewTimer(l.o.patience)
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
