package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/integration/load/internal/lean"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// residue measures what stays in memory when clients were sent many rows, and when many
// handles were made. It takes minutes, so it is not among all.
type residue struct {
	options
	clients     int
	rows        int
	times       int
	handles     int
	concurrency int
}

func (v *residue) use() (name, short string) {
	return "residue", "Measure what stays in memory when clients were sent many rows, and when many handles were made"
}

func (v *residue) bind(flags *pflag.FlagSet) {
	v.options.bind(flags)
	flags.IntVar(&v.clients, "clients", 1000, "clients that wait, all of one person")
	flags.IntVar(&v.rows, "rows", 100_000, "rows that change at once, and that each of them is sent")
	flags.IntVar(&v.times, "times", 10, "how often they change; the least heap after the second half is compared with that after the first")
	flags.IntVar(&v.handles, "handles", 1_000_000, "handles that are made")
	flags.IntVar(&v.concurrency, "concurrency", 16, "requests at once that have handles made")
}

func (v *residue) complete(getenv func(string) string) error {
	v.people, v.own, v.withheld = 1, v.rows, 0
	return errors.Join(v.options.complete(getenv), checkClients([]int{v.clients}),
		atLeast(1, sizes{"rows": v.rows, "times less one": v.times - 1, "handles": v.handles, "concurrency": v.concurrency}))
}

func (v *residue) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	if err := needFiles([]int{v.clients}); err != nil {
		return nil, err
	}
	s, err := openSite(ctx, &v.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	d := s.shapegate()
	if d.meter == nil {
		return nil, errors.New("residue needs --metrics-url")
	}
	// What is sent once is enough. The title of each row has the mark of the change, so the
	// first of them is looked at: all of them, for all clients, would not fit into memory.
	d.first, d.decides, d.keep = fromNow, false, keptOfRows
	r := &report{title: fmt.Sprintf("residue: what stays in memory of shapegate; %d clients, %d rows, %d handles", v.clients, v.rows, v.handles)}
	if err := v.sent(ctx, s, d, r); err != nil {
		return r, err
	}
	return r, v.made(ctx, s, d, r)
}

// keptOfRows is how many bytes a client keeps of an answer.
const keptOfRows = 4 << 10

// sent has all clients sent all rows, some times. The newest part of the log is in memory
// then, as it always is, and fills its budget or has just been trimmed: so the least that
// was seen is compared.
func (v *residue) sent(ctx context.Context, s *site, d *door, r *report) (err error) {
	c, err := s.openCrowd(ctx, d, v.clients, 0, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.leave(ctx, r)) }()
	one := func() (heap float64, err error) {
		took, err := c.changeBy(ctx, everybody, func(mark string) string {
			return fmt.Sprintf("UPDATE documents SET title = '%s' WHERE project_id = 'load'", world.TitleForAll(mark))
		})
		if err != nil {
			return 0, err
		}
		s.say("the first of %d rows was with %d clients", v.rows, len(took))
		if err := c.settle(); err != nil {
			return 0, err
		}
		u, err := d.meter(ctx, true)
		return u.Heap, err
	}
	heaps := make([]float64, v.times)
	for i := range heaps {
		if heaps[i], err = one(); err != nil {
			return err
		}
	}
	half := v.times / 2
	r.add(stays(fmt.Sprintf("heap with %d clients, each sent %d rows, %d times", v.clients, v.rows, v.times), "half the times",
		slices.Min(heaps[half:]), slices.Min(heaps[:half])))
	return nil
}

// made has handles made: a read with one that is not good is answered with a new one.
func (v *residue) made(ctx context.Context, s *site, d *door, r *report) error {
	headers, err := s.people.headersOf(0)
	if err != nil {
		return err
	}
	before, err := d.meter(ctx, true)
	if err != nil {
		return err
	}
	began := time.Now()
	var left atomic.Int64
	left.Store(int64(v.handles))
	group, asking := errgroup.WithContext(ctx)
	for range v.concurrency {
		group.Go(func() error {
			conn, err := lean.Dial(asking, d.base)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }() // it is left
			request := lean.Request(http.MethodGet, d.base, "offset=1_0&handle=none", "", headers...)
			var answer lean.Answer
			for asking.Err() == nil && left.Add(-1) >= 0 {
				if err := conn.Do(request, &answer); err != nil {
					return err
				}
				if answer.Status != http.StatusConflict || answer.Handle == "" {
					return &wrongError{fmt.Sprintf("status %d: %.200s", answer.Status, answer.Body)}
				}
			}
			return asking.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.say("%d handles in %v", v.handles, time.Since(began).Round(time.Second))
	after, err := d.meter(ctx, true)
	if err != nil {
		return err
	}
	r.add(stays(fmt.Sprintf("heap when %d handles were made", v.handles), "before", after.Heap, before.Heap))
	return nil
}

// mostResidue is how much the heap may grow by: garbage collection is not exact.
const mostResidue = 1.1

func stays(name, base string, got, before float64) figure {
	f := figure{name: name, got: kilobytes(got), base: base + " " + kilobytes(before), ratio: ratio(got, before)}
	return f.most(mostResidue)
}
