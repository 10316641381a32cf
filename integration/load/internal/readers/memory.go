package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/usage"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// memory measures what each client that waits takes, and what each person does who
// holds many ids.
type memory struct {
	options
	clients  []int
	holders  int
	held     int
	universe int
}

func (m *memory) use() (name, short string) {
	return "memory", "Measure the memory of each client that waits, against a bare server, and of each person with many ids"
}

func (m *memory) bind(flags *pflag.FlagSet) {
	m.options.bind(flags)
	flags.IntSliceVar(&m.clients, "clients", []int{9000}, "clients that wait, one number after the other")
	flags.IntVar(&m.holders, "holders", 100, "people who hold many ids; 0: leave that out. The engine in memory looks through all relationships for each of them")
	flags.IntVar(&m.held, "held", 1000, "ids that each of them holds")
	flags.IntVar(&m.universe, "universe", 1_000_000, "ids of which these are chosen at random")
}

func (m *memory) complete(getenv func(string) string) error {
	if m.held > m.universe {
		return errors.New("--held must be at most --universe")
	}
	return errors.Join(m.options.complete(getenv), checkClients(m.clients), atLeast(1, sizes{"held": m.held}), atLeast(0, sizes{"holders": m.holders}))
}

// mostMemory is how many times as much as the bare server's a client may take. A stack of 16 KiB
// in place of 8 is 1.5: what waits must need so little of it that it shrinks.
const mostMemory = 1.3

func (m *memory) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	if err := needFiles(m.clients); err != nil {
		return nil, err
	}
	s, err := openSite(ctx, &m.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	gate := s.shapegate()
	if gate.meter == nil {
		return nil, errors.New("memory needs --metrics-url")
	}
	bare, _, err := s.startBare(ctx)
	if err != nil {
		return nil, err
	}
	r := &report{title: fmt.Sprintf("memory: what each client that waits takes; %d people", m.people)}
	if !s.gate.ours() {
		r.note("shapegate is not the tool's own: its memory is as its metrics have it, garbage included")
	}
	var each usage.Usage
	for _, n := range m.clients {
		var least usage.Usage
		if each, err = m.each(ctx, s, gate, n, 0, m.people, r); err != nil {
			return nil, err
		}
		if least, err = m.each(ctx, s, bare, n, 0, m.people, r); err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%d clients, each", n)
		r.add(memoryFigure(name+", RSS", each.RSS, least.RSS).most(mostMemory))
		r.add(memoryFigure(name+", heap and stacks", each.Heap+each.Stack, least.Heap+least.Stack).most(mostMemory))
	}
	if m.holders > 0 {
		err = m.measureHolders(ctx, s, each, r)
	}
	return r, err
}

func memoryFigure(name string, got, base float64) figure {
	return figure{name: name, got: kilobytes(got), base: "bare " + kilobytes(base), ratio: ratio(got, base)}
}

func kilobytes(bytes float64) string { return fmt.Sprintf("%.1f kB", bytes/1000) }

// each is by how much the memory of a door's process grows for each of the clients
// that wait at it.
func (m *memory) each(ctx context.Context, s *site, d *door, clients, first, last int, r *report) (_ usage.Usage, err error) {
	// What the first client of all brings is not what each client takes.
	one, err := s.openCrowd(ctx, d, 1, first, last)
	if err != nil {
		return usage.Usage{}, err
	}
	if err := errors.Join(one.close(), one.left(ctx)); err != nil {
		return usage.Usage{}, err
	}
	before, err := d.meter(ctx, true)
	if err != nil {
		return usage.Usage{}, err
	}
	c, err := s.openCrowd(ctx, d, clients, first, last)
	if err != nil {
		return usage.Usage{}, err
	}
	defer func() { err = errors.Join(err, c.leave(ctx, r)) }()
	after, err := d.meter(ctx, true)
	n := float64(clients)
	return usage.Usage{
		RSS:   (after.RSS - before.RSS) / n,
		Heap:  (after.Heap - before.Heap) / n,
		Stack: (after.Stack - before.Stack) / n,
	}, err
}

// holdings lists what the holders see: rows that are not there, so that only their
// ids are held. The holders are behind the other people.
func (m *memory) holdings() []string {
	all := make([]string, 0, m.holders*m.held)
	for n := range m.holders {
		taken := make(map[int]bool, m.held)
		for len(taken) < m.held {
			i := rand.IntN(m.universe) //nolint:gosec // it guards nothing
			if !taken[i] {
				taken[i] = true
				all = append(all, world.Viewer(world.Document(world.Absent, i/perOwner, i%perOwner), m.people+n))
			}
		}
		all = append(all, world.Each(m.target.Each, m.people+n)...)
	}
	return all
}

// perOwner is how many documents an owner's ids have room for.
const perOwner = 1_000_000

// measureHolders measures the holders: what the process grows by, less what their
// clients take.
func (m *memory) measureHolders(ctx context.Context, s *site, client usage.Usage, r *report) error {
	if err := s.stores.relate(ctx, m.holdings()); err != nil {
		return err
	}
	if err := s.gate.restart(ctx); err != nil {
		return err
	}
	each, err := m.each(ctx, s, s.shapegate(), m.holders, m.people, m.people+m.holders, r)
	if err != nil {
		return err
	}
	bytes := each.Heap + each.Stack - client.Heap - client.Stack
	r.add(figure{name: fmt.Sprintf("a person with %d of %d ids, heap", m.held, m.universe), got: kilobytes(bytes)})
	r.add(figure{name: "for each id", got: fmt.Sprintf("%.1f B", bytes/float64(m.held))})
	return nil
}
