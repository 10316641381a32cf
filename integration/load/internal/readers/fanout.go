package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/quantile"
)

// fanout measures how soon a change that everybody may see is with everybody.
type fanout struct {
	options
	clients []int
	samples int
	pause   time.Duration
}

func (f *fanout) use() (name, short string) {
	return "fanout", "Measure how soon a visible change is with all who wait, against a bare server and a relay"
}

func (f *fanout) bind(flags *pflag.FlagSet) {
	f.options.bind(flags)
	flags.IntSliceVar(&f.clients, "clients", []int{1000, 5000, 9000}, "clients that wait, one number after the other")
	flags.IntVar(&f.samples, "samples", 10, "changes, one after the other")
	flags.DurationVar(&f.pause, "pause", 500*time.Millisecond, "after each change, ample for what a server does once its clients wait again, such as collecting its garbage: it must not be in the time of the other server")
}

func (f *fanout) complete(getenv func(string) string) error {
	return errors.Join(f.options.complete(getenv), checkClients(f.clients), atLeast(1, sizes{"samples": f.samples}), notNegative(f.pause))
}

// mostFanout is how many times as long as the bare server it may take.
const mostFanout = 1.5

func (f *fanout) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	if err := needFiles(f.clients); err != nil {
		return nil, err
	}
	s, err := openSite(ctx, &f.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	bare, err := s.startCopy(ctx)
	if err != nil {
		return nil, err
	}
	relay, err := s.startRelay(ctx)
	if err != nil {
		return nil, err
	}
	r := &report{title: fmt.Sprintf("fanout: from the commit of a change until each of the clients has it all; %d people, %d changes", f.people, f.samples)}
	for _, n := range f.clients {
		if err := f.at(ctx, s, n, bare, relay, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// at measures with one number of clients.
func (f *fanout) at(ctx context.Context, s *site, clients int, bare, relay *door, r *report) error {
	gate, least, asked, err := f.both(ctx, s, clients, bare, r)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d clients", clients)
	lines := quantiles(name, bare.name, gate, least)
	lines[1] = lines[1].most(mostFanout)
	r.figures = append(r.figures, lines...)
	if relay != nil {
		direct, err := f.relayed(ctx, s, clients, relay, r)
		if err != nil {
			return err
		}
		r.figures = append(r.figures, quantiles(name, relay.name, gate, direct)...)
	}
	if s.electric.counts() {
		r.add(figure{name: name + ", requests open at Electric", got: fmt.Sprint(asked.open), aim: "1", missed: asked.open != 1})
		r.add(figure{name: name + ", requests to Electric for each change", got: fmt.Sprintf("%.1f", asked.each)})
	}
	return nil
}

// asked is what Electric was asked on behalf of shapegate's clients.
type asked struct {
	open int     // requests, while all clients waited
	each float64 // requests, for each change
}

// both measures shapegate and the bare server, in turn.
func (f *fanout) both(ctx context.Context, s *site, clients int, bare *door, r *report) (gate, least quantile.Quantiles, a asked, err error) {
	first, err := s.openCrowd(ctx, s.shapegate(), clients, 0, f.people)
	if err != nil {
		return gate, least, a, err
	}
	defer func() { err = errors.Join(err, first.leave(ctx, r)) }()
	before, err := s.electric.asked(ctx)
	if err != nil {
		return gate, least, a, err
	}
	second, err := s.openCrowd(ctx, bare, clients, 0, f.people)
	if err != nil {
		return gate, least, a, err
	}
	defer func() { err = errors.Join(err, second.leave(ctx, r)) }()
	took, err := inTurn(ctx, f.samples, f.pause, first.changing(toAll), second.changing(toAll))
	if err != nil {
		return gate, least, a, err
	}
	after, err := s.electric.asked(ctx)
	a = asked{before.Held, float64(after.Total-before.Total) / float64(f.samples+1)}
	return quantile.Of(took[0]), quantile.Of(took[1]), a, err
}

// relayed measures the relay. It is by itself: with the clients of all three, the
// tool would need three open files for each.
func (f *fanout) relayed(ctx context.Context, s *site, clients int, relay *door, r *report) (_ quantile.Quantiles, err error) {
	c, err := s.openCrowd(ctx, relay, clients, 0, f.people)
	if err != nil {
		return quantile.Quantiles{}, err
	}
	defer func() { err = errors.Join(err, c.leave(ctx, r)) }()
	took, err := c.samples(ctx, f.samples, toAll)
	return quantile.Of(took), err
}
