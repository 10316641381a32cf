package proxy

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/flight"
)

// sharedSnapshots has requests that ask Electric for the same few rows at the same time share
// a snapshot. It is taken when all of them have come, so it is as new as one of their own.
// Which of its rows a request may have is decided for each of them as ever.
type sharedSnapshots struct {
	*flight.Group[sharedQuestion, *electric.KeptSubset]
}

// sharedQuestion is the same for requests that may share a snapshot.
type sharedQuestion struct {
	log  string // see electric.LogSpec.Key
	body string // see plan
}

// What can be shared: an answer of so many bytes, since it is kept until all have read it,
// that takes so long at most.
const (
	mostSharedAnswer = 64 << 10
	sharedTime       = time.Minute
)

func newSharedSnapshots(r prometheus.Registerer) (sharedSnapshots, error) {
	s := sharedSnapshots{flight.New[sharedQuestion, *electric.KeptSubset]()}
	if r == nil {
		return s, nil
	}
	return s, r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "shapegate_shared_snapshot_requests",
		Help: "Requests that wait for a snapshot at Electric which they share with others.",
	}, func() float64 { return float64(s.Waiting()) }))
}

// join returns a snapshot for a plan that others ask for, too. Where it returns none, the
// caller asks, and calls asked when Electric answers. Errors are those of Electric.
func (s sharedSnapshots) join(ctx context.Context, from *snapshots, p *plan) (kept *electric.KeptSubset, asked func(), err error) {
	if p.body == "" {
		return nil, func() {}, nil
	}
	places, client, spec := from.place.limiter, from.log.upstream.electric, from.log.spec
	kept, _, asked, err = s.Join(ctx, sharedQuestion{spec.Key(), p.body}, func(ctx context.Context) (*electric.KeptSubset, bool, error) {
		ctx, cancel := context.WithTimeout(ctx, sharedTime)
		defer cancel()
		leave, err := places.read(ctx)
		if err != nil {
			return nil, false, err
		}
		defer leave()
		kept, err := client.KeepSubset(ctx, spec, p.subsets[0], mostSharedAnswer)
		if ctx.Err() != nil {
			err = &electric.UnavailableError{Err: context.Cause(ctx)}
		}
		return kept, kept != nil, err
	})
	return kept, asked, err
}
