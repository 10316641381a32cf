package readers

import (
	"context"
	"net/url"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/metrics"
	"github.com/shapegate/shapegate/integration/load/internal/rows"
	"github.com/shapegate/shapegate/integration/load/internal/usage"
)

// door is where clients read: at shapegate, or at what it is compared with.
type door struct {
	name    string
	base    *url.URL
	first   string // query of the first read
	decides bool   // a reader sees what its person may see, and no more
	keep    int    // bytes of an answer that a reader keeps and looks at; 0: all

	// waiting is how many requests wait here and, if that is known, at Electric.
	// Nil: it is not known.
	waiting func(ctx context.Context) (here, there int, err error)

	// rows is where a change is made that its clients are sent.
	rows  rows.Rows
	meter usage.Meter // nil: there is none
}

const (
	fromStart = "offset=-1"
	fromNow   = "offset=now" // of a log that holds changes only
)

// shapegate is the door that is measured.
func (s *site) shapegate() *door {
	d := &door{name: "shapegate", base: s.gate.shape, first: fromStart, decides: true, rows: s.stores.rows, meter: s.gate.meter}
	if s.gate.metrics == "" {
		return d
	}
	d.waiting = func(ctx context.Context) (int, int, error) {
		v, err := metrics.Read(ctx, s.gate.metrics)
		if err != nil {
			return 0, 0, err
		}
		u, err := s.electric.asked(ctx)
		return v.Held, u.Held, err
	}
	return d
}

// startRelay starts a reverse proxy that decides nothing. It returns nil where
// no Electric was named.
func (s *site) startRelay(ctx context.Context) (*door, error) {
	if s.electric == nil {
		return nil, nil //nolint:nilnil // what cannot be compared is left out
	}
	p, err := s.start(ctx, "relay", "--electric-url", s.electric.base.String())
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(p.URL)
	if err != nil {
		return nil, err
	}
	d := &door{name: "relay", base: s.electric.direct(base), first: fromNow, rows: s.stores.rows, meter: usage.OfChild(p.Control)}
	d.base.Path = "/v1/shape" // the relay puts the path of Electric's URL before it
	d.waiting = func(ctx context.Context) (held, there int, err error) {
		if err := child.Get(ctx, p.Control+"/held", &held); err != nil {
			return 0, 0, err
		}
		u, err := s.electric.asked(ctx)
		return held, u.Held, err
	}
	return d, nil
}

// startCopy starts a bare server that sends what shapegate sends, headers included.
func (s *site) startCopy(ctx context.Context) (*door, error) {
	template, err := s.capture(ctx)
	if err != nil {
		return nil, err
	}
	d, control, err := s.startBare(ctx)
	if err != nil {
		return nil, err
	}
	return d, child.Post(ctx, control+"/template", template)
}

// startBare starts a server that sends the same bytes to all.
func (s *site) startBare(ctx context.Context) (d *door, control string, err error) {
	p, err := s.start(ctx, "bare")
	if err != nil {
		return nil, "", err
	}
	base, err := url.Parse(p.URL)
	if err != nil {
		return nil, "", err
	}
	return &door{
		name: "bare", base: base, first: fromStart,
		rows:  broadcast{rows.Posted{URL: p.Control + "/broadcast"}},
		meter: usage.OfChild(p.Control),
		waiting: func(ctx context.Context) (held, _ int, err error) {
			return held, 0, child.Get(ctx, p.Control+"/held", &held)
		},
	}, p.Control, nil
}
