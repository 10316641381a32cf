package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/quantile"
)

// selective measures how soon a change is with the few who may see it, while many
// wait who may not.
type selective struct {
	options
	clients []int
	see     int
	samples int
}

func (v *selective) use() (name, short string) {
	return "selective", "Measure how soon a change is with the few who may see it, among many and by themselves"
}

func (v *selective) bind(flags *pflag.FlagSet) {
	v.options.bind(flags)
	flags.IntSliceVar(&v.clients, "clients", []int{5000}, "clients that wait, one number after the other")
	flags.IntVar(&v.see, "see", 5, "clients that may see a change: those of one person; there are clients/see people, whatever --people says")
	flags.IntVar(&v.samples, "samples", 50, "changes, one after the other")
}

func (v *selective) complete(getenv func(string) string) error {
	err := errors.Join(v.options.complete(getenv), checkClients(v.clients), atLeast(1, sizes{"see": v.see, "samples": v.samples, "ids": v.own}))
	if err != nil {
		return err
	}
	v.people = 1
	for _, n := range v.clients {
		v.people = max(v.people, n/v.see)
	}
	return nil
}

const mostSelective = 2

func (v *selective) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	if err := needFiles(v.clients); err != nil {
		return nil, err
	}
	s, err := openSite(ctx, &v.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &report{title: fmt.Sprintf("selective: from the commit of a change until the %d clients that may see it have it all; %d changes", v.see, v.samples)}
	alone, err := v.at(ctx, s, v.see, 1, r)
	if err != nil {
		return nil, err
	}
	for _, n := range v.clients {
		among, err := v.at(ctx, s, n, max(1, n/v.see), r)
		if err != nil {
			return nil, err
		}
		lines := quantiles(fmt.Sprintf("%d of %d clients", v.see, n), "alone", among, alone)
		lines[0], lines[1] = lines[0].most(mostSelective), lines[1].most(mostSelective)
		r.figures = append(r.figures, lines...)
	}
	return r, nil
}

// at measures changes of the rows of one person after the other, chosen at random.
func (v *selective) at(ctx context.Context, s *site, clients, people int, r *report) (_ quantile.Quantiles, err error) {
	d := s.shapegate()
	c, err := s.openCrowd(ctx, d, clients, 0, people)
	if err != nil {
		return quantile.Quantiles{}, err
	}
	name := fmt.Sprintf("%d clients", clients)
	defer func() { err = errors.Join(err, c.leave(ctx, r)) }()
	var took []time.Duration
	took, err = c.samples(ctx, v.samples, func() int { return rand.IntN(people) }) //nolint:gosec // it guards nothing
	if n := c.tally.forNothing(); n > 0 {
		r.note("%s: %d answers before the timeout to those who may not see a change", name, n)
	}
	return quantile.Of(took), err
}
