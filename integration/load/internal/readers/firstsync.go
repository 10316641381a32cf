package readers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/lean"
	"github.com/shapegate/shapegate/integration/load/internal/quantile"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// firstsync measures the first read of a person who may see many rows.
type firstsync struct {
	options
	rows    int
	samples int
}

func (v *firstsync) use() (name, short string) {
	return "firstsync", "Measure the first read of many rows, against the same rows from Electric without shapegate"
}

func (v *firstsync) bind(flags *pflag.FlagSet) {
	v.options.bind(flags)
	flags.IntVar(&v.rows, "rows", 10_000, "rows that the one person alone may see, whatever --people and --ids say")
	flags.IntVar(&v.samples, "samples", 80, "reads on each side, in turn")
	flags.Lookup("withheld").DefValue, v.withheld = "10000", 10_000
}

func (v *firstsync) complete(getenv func(string) string) error {
	v.people, v.own = 1, v.rows
	return errors.Join(v.options.complete(getenv), atLeast(1, sizes{"rows": v.rows, "samples": v.samples}))
}

const (
	mostTotal     = 1.3
	mostFirstByte = 1.5
)

func (v *firstsync) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	s, err := openSite(ctx, &v.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &report{title: fmt.Sprintf("firstsync: a first read of %d rows, from the request; %d reads", v.own+1, v.samples)}
	gate, err := v.gate(ctx, s)
	if err != nil {
		return nil, err
	}
	sides := []*timed{gate}
	if s.electric != nil {
		direct, err := v.direct(ctx, s)
		if err != nil {
			return nil, err
		}
		sides = append(sides, direct)
	}
	for i := range v.samples + 1 {
		for _, side := range sides {
			if err := side.take(i > 0); err != nil { // the first finds everything cold
				r.wrong("%v", err)
				return r, nil
			}
		}
	}
	total := figure{name: "all of it, p50", got: milliseconds(quantile.Of(gate.total).P50)}
	first := figure{name: "the body's first byte, p50", got: milliseconds(quantile.Of(gate.first).P50)}
	if len(sides) == 2 {
		total = total.against(gate.total, sides[1].total).most(mostTotal)
		first = first.against(gate.first, sides[1].first).most(mostFirstByte)
	}
	r.add(total)
	r.add(first)
	return r, nil
}

func (f figure) against(got, base []time.Duration) figure {
	a, b := quantile.Of(got).P50, quantile.Of(base).P50
	f.base, f.ratio = "Electric "+milliseconds(b), ratio(a, b)
	return f
}

// timed is a reader whose reads are timed.
type timed struct {
	*reader
	total, first []time.Duration
}

func (t *timed) take(counts bool) error {
	began := time.Now()
	if err := t.read(); err != nil {
		return err
	}
	if counts {
		t.total = append(t.total, t.answer.At.Sub(began))
		t.first = append(t.first, t.answer.First.Sub(began))
	}
	return nil
}

// gate asks shapegate for a log from its beginning.
func (v *firstsync) gate(ctx context.Context, s *site) (*timed, error) {
	headers, err := s.people.headersOf(0)
	if err != nil {
		return nil, err
	}
	r, err := newReader(ctx, s.gate.shape, 0, true)
	if err != nil {
		return nil, err
	}
	s.ends.add(func() error { _ = r.conn.Close(); return nil })
	r.request, r.changes = lean.Request(http.MethodGet, s.gate.shape, fromStart, "", headers...), 1+v.own
	return &timed{reader: r}, nil
}

// direct asks Electric for the rows that the person may see, by their ids.
func (v *firstsync) direct(ctx context.Context, s *site) (*timed, error) {
	base := s.electric.direct(s.electric.base)
	r, err := newReader(ctx, base, 0, true)
	if err != nil {
		return nil, err
	}
	s.ends.add(func() error { _ = r.conn.Close(); return nil })
	ids := append(world.Documents(world.Own, 0, v.own), common())
	body, err := json.Marshal(map[string]any{
		"where":  `"id" = ANY($1)`,
		"params": map[string]string{"1": "{" + strings.Join(ids, ",") + "}"},
	})
	if err != nil {
		return nil, err
	}
	headers, err := s.people.headersOf(0)
	if err != nil {
		return nil, err
	}
	r.request, r.changes = lean.Request(http.MethodPost, base, fromNow, string(body), headers...), 1+v.own
	return &timed{reader: r}, nil
}
