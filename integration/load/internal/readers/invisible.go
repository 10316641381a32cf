package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// invisible measures what changes cost that no waiting reader may see.
type invisible struct {
	options
	clients []int
	rate    int
	during  time.Duration
}

func (v *invisible) use() (name, short string) {
	return "invisible", "Measure what changes cost that none of those who wait may see"
}

func (v *invisible) bind(flags *pflag.FlagSet) {
	v.options.bind(flags)
	flags.IntSliceVar(&v.clients, "clients", []int{5000}, "clients that wait, one number after the other")
	flags.IntVar(&v.rate, "rate", 1000, "changes a second, each a transaction")
	flags.DurationVar(&v.during, "for", 20*time.Second, "how long the changes go on; before them, it is idle for as long")
}

func (v *invisible) complete(getenv func(string) string) error {
	if v.during <= 0 {
		return errors.New("--for must be positive")
	}
	return errors.Join(v.options.complete(getenv), checkClients(v.clients), atLeast(1, sizes{"rate": v.rate, "withheld": v.withheld}))
}

const mostCores = 0.25

func (v *invisible) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	if err := needFiles(v.clients); err != nil {
		return nil, err
	}
	s, err := openSite(ctx, &v.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &report{title: fmt.Sprintf("invisible: changes that no waiting reader may see; %d people, %v", v.people, v.during)}
	for _, n := range v.clients {
		if err := v.at(ctx, s, n, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (v *invisible) at(ctx context.Context, s *site, clients int, r *report) (err error) {
	d := s.shapegate()
	c, err := s.openCrowd(ctx, d, clients, 0, v.people)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d clients", clients)
	defer func() { err = errors.Join(err, c.leave(ctx, r)) }()
	// The first change finds everything cold. It also shows that it reaches all.
	if _, err := c.samples(ctx, 0, toAll); err != nil {
		return err
	}
	atFirst := c.tally.forNothing()
	idle, err := v.cores(ctx, d, func() error { return sleep(c.ctx, v.during) })
	if err != nil {
		return err
	}
	atRest, changes := c.tally.forNothing(), 0
	busy, err := v.cores(ctx, d, func() (err error) {
		changes, err = v.write(c.ctx, s)
		return err
	})
	if err != nil {
		return err
	}
	woken := c.tally.forNothing() - atRest
	rate := float64(changes) / v.during.Seconds()
	r.add(figure{name: name + ", changes a second", got: fmt.Sprintf("%.0f", rate)})
	r.add(figure{
		name: name + ", answers before the timeout", got: fmt.Sprint(woken), base: fmt.Sprintf("idle %d", atRest-atFirst),
		aim: "0", missed: woken > 0,
	})
	if n := c.tally.unexpected.Load(); n > 0 {
		r.wrong("%s: %d answers held changes that nobody may see", name, n)
	}
	if d.meter != nil {
		r.add(figure{
			name: name + ", cores of shapegate", got: fmt.Sprintf("%.3f", busy), base: fmt.Sprintf("idle %.3f", idle),
			aim: fmt.Sprintf("< %g", mostCores), missed: busy >= mostCores,
		})
	}
	// A reader that was not woken still waits, and is sent what it may see.
	_, err = c.change(ctx, everybody)
	return err
}

// cores is how many CPU seconds a second the door's process takes while do runs.
func (v *invisible) cores(ctx context.Context, d *door, do func() error) (float64, error) {
	if d.meter == nil {
		return 0, do()
	}
	before, err := d.meter(ctx, false)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return 0, err
	}
	took := time.Since(began)
	after, err := d.meter(ctx, false)
	return (after.CPU - before.CPU) / took.Seconds(), err
}

// writers is how many transactions are under way at once, at the most.
const writers = 8

// write changes rows that nobody may see, at the rate, and returns how many it
// changed. It does less where the database cannot keep up.
func (v *invisible) write(ctx context.Context, s *site) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ticks := make(chan int)
	var done atomic.Int64
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for i := range ticks {
				title := world.TitleForNobody(fmt.Sprintf("change %d", i))
				if _, err := s.stores.rows.Exec(ctx, world.ChangeTitle(withheld(i%v.withheld), title)); err != nil {
					cancel(err)
					continue
				}
				done.Add(1)
			}
		})
	}
	err := v.pace(ctx, ticks)
	close(ticks)
	group.Wait()
	return int(done.Load()), err
}

// pace sends numbers at the rate, until the time is over.
func (v *invisible) pace(ctx context.Context, ticks chan<- int) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for i := 0; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		past := time.Since(began)
		if past >= v.during {
			return nil
		}
		for due := int(past.Seconds() * float64(v.rate)); i < due && time.Since(began) < v.during; i++ {
			select {
			case ticks <- i:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// sleep waits for a time.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
