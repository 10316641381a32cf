package readers

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/quantile"
)

// fanout measures how soon a change that everybody may see is with everybody.
type fanout struct {
	options
	clients []int
	samples int
}

func (f *fanout) use() (name, short string) {
	return "fanout", "Measure how soon a visible change is with all who wait, against a bare server and a relay"
}

func (f *fanout) bind(flags *pflag.FlagSet) {
	f.options.bind(flags)
	flags.IntSliceVar(&f.clients, "clients", []int{1000, 5000, 9000}, "clients that wait, one number after the other")
	flags.IntVar(&f.samples, "samples", 10, "changes, one after the other")
}

func (f *fanout) complete(getenv func(string) string) error {
	return errors.Join(f.options.complete(getenv), checkClients(f.clients), atLeast(1, sizes{"samples": f.samples}))
}

// mostFanout is how many times as long as the bare server it may take.
const mostFanout = 2

func (f *fanout) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	if err := needFiles(f.clients); err != nil {
		return nil, err
	}
	s, err := openSite(ctx, &f.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	template, err := s.capture(ctx)
	if err != nil {
		return nil, err
	}
	bare, control, err := s.startBare(ctx)
	if err != nil {
		return nil, err
	}
	if err := child.Post(ctx, control+"/template", template); err != nil {
		return nil, err
	}
	relay, err := s.startRelay(ctx)
	if err != nil {
		return nil, err
	}
	r := &report{title: fmt.Sprintf("fanout: from the commit of a change until each of the clients has it all; %d people, %d changes", f.people, f.samples)}
	for _, n := range f.clients {
		gate, open, asked, err := f.at(ctx, s, s.shapegate(), n, r)
		if err != nil {
			return nil, err
		}
		least, _, _, err := f.at(ctx, s, bare, n, r)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%d clients", n)
		lines := quantiles(name, bare.name, gate, least)
		lines[1] = lines[1].most(mostFanout)
		r.figures = append(r.figures, lines...)
		if relay != nil {
			direct, _, _, err := f.at(ctx, s, relay, n, r)
			if err != nil {
				return nil, err
			}
			r.figures = append(r.figures, quantiles(name, relay.name, gate, direct)...)
		}
		if s.backend != nil {
			r.add(figure{name: name + ", requests open at Electric", got: fmt.Sprint(open), aim: "1", missed: open != 1})
			r.add(figure{name: name + ", requests to Electric for each change", got: fmt.Sprintf("%.1f", asked)})
		}
	}
	return r, nil
}

// at measures one door, and returns how many requests were open at Electric while
// all clients waited, and how many came for each change.
func (f *fanout) at(ctx context.Context, s *site, d *door, clients int, r *report) (_ quantile.Quantiles, open int, asked float64, err error) {
	c, err := s.openCrowd(ctx, d, clients, 0, f.people)
	if err != nil {
		return quantile.Quantiles{}, 0, 0, err
	}
	defer func() {
		err = errors.Join(err, c.close(), c.left(ctx))
		c.tally.into(r, d, clients)
	}()
	u, _, err := s.upstream(ctx)
	if err != nil {
		return quantile.Quantiles{}, 0, 0, err
	}
	took, err := c.samples(ctx, f.samples, func(int) int { return everybody })
	if err != nil {
		return quantile.Quantiles{}, 0, 0, err
	}
	after, _, err := s.upstream(ctx)
	return quantile.Of(took), u.Held, float64(after.Total-u.Total) / float64(f.samples+1), err
}
