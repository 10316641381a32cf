package readers

import (
	"context"

	"github.com/shapegate/shapegate/integration/load/internal/metrics"
)

// asks is how often shapegate has asked so far, heartbeats left out.
type asks struct{ spicedb, electric float64 }

func (s *site) asks(ctx context.Context) (a asks, err error) {
	m, err := metrics.Read(ctx, s.gate.metrics)
	if err != nil {
		return a, err
	}
	for method, n := range m.Calls {
		if method != "WriteRelationships" {
			a.spicedb += n
		}
	}
	u, err := s.electric.asked(ctx)
	a.electric = float64(u.Total)
	return a, err
}
