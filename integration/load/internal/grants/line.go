package grants

import (
	"context"
	"fmt"
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

// line makes the changes of a scenario, one after the other or at a rate.
func (l *load) line(ctx context.Context, s scenario, rate float64) (line, error) {
	before, err := l.d.counts(ctx)
	if err != nil {
		return line{}, err
	}
	w := watch{clients: l.clients, pause: l.o.pause, patience: l.o.patience}
	var arrivals []arrival
	if rate == 0 {
		arrivals, err = w.inTurn(ctx, s.changes)
	} else {
		arrivals, err = w.atRate(ctx, s.changes, rate)
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
