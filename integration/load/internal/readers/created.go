package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/quantile"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// created measures how soon a document that is shared with a group is with all its members
// who wait. One relationship changes what each of them may see. It stands beside a change of
// a row that all of them have.
type created struct {
	options
	clients []int
	samples int
	pause   time.Duration

	documents int // that were created so far
}

func (v *created) use() (name, short string) {
	return "created", "Measure how soon a new document of a group is with all its members who wait, against a change of a row and a bare server"
}

func (v *created) bind(flags *pflag.FlagSet) {
	v.options.bind(flags)
	v.own, flags.Lookup("ids").DefValue = 0, "0" // so all have equal grants
	_ = flags.MarkHidden("people")               // each has one client
	flags.IntSliceVar(&v.clients, "clients", []int{9000}, "how many people wait, with a client each; 100,1000 measures both, one after the other")
	flags.IntVar(&v.samples, "samples", 10, "how many documents are created")
	flags.DurationVar(&v.pause, "pause", 500*time.Millisecond, "how long to wait after each change, once all clients wait again")
}

func (v *created) complete(getenv func(string) string) error {
	if v.target.URL != "" {
		return errors.New("created measures the tool's own shapegate: leave out --url")
	}
	err := errors.Join(v.options.complete(getenv), checkClients(v.clients), atLeast(1, sizes{"samples": v.samples}), notNegative(v.pause))
	if err == nil {
		v.people = slices.Max(v.clients)
	}
	return err
}

// theGroup is the one group: everybody is a member.
const theGroup = 0

func (v *created) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	if err := needFiles(v.clients); err != nil {
		return nil, err
	}
	s, err := openSite(ctx, &v.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	members := make([]string, v.people)
	for n := range members {
		members[n] = world.Member(theGroup, n)
	}
	if err := s.stores.relate(ctx, members); err != nil {
		return nil, err
	}
	if err := s.gate.restart(ctx); err != nil {
		return nil, err
	}
	bare, err := s.startCopy(ctx)
	if err != nil {
		return nil, err
	}
	r := &report{title: fmt.Sprintf("created: from the write of a relationship until each member of its group has the document; %d documents", v.samples)}
	for _, n := range v.clients {
		if err := v.at(ctx, s, n, bare, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// at measures with one number of clients.
func (v *created) at(ctx context.Context, s *site, clients int, bare *door, r *report) (err error) {
	gate, err := s.openCrowd(ctx, s.shapegate(), clients, 0, clients)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gate.leave(ctx, r)) }()
	least, err := s.openCrowd(ctx, bare, clients, 0, clients)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, least.leave(ctx, r)) }()
	began, err := s.asks(ctx)
	if err != nil {
		return err
	}
	create := turn{gate, func(ctx context.Context) ([]time.Duration, error) { return v.create(ctx, s, gate) }}
	took, err := inTurn(ctx, v.samples, v.pause, create, gate.changing(toAll), least.changing(toAll))
	if err != nil {
		return err
	}
	ended, err := s.asks(ctx)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d clients", clients)
	document := quantile.Of(took[0])
	r.figures = append(r.figures, quantiles(name, bare.name, document, quantile.Of(took[2]))...)
	row := quantiles(name, "change of a row", document, quantile.Of(took[1]))
	row[1] = row[1].most(2)
	r.figures = append(r.figures, row...)
	each := func(n float64) string { return fmt.Sprintf("%.1f", n/float64(v.samples+1)) }
	r.add(figure{name: name + ", calls to SpiceDB for each document", got: each(ended.spicedb - began.spicedb)})
	r.add(figure{name: name + ", requests to Electric for each document", got: each(ended.electric - began.electric)})
	return nil
}

// create creates a document, and returns how long after the write of its relationship was
// called each client had it.
func (v *created) create(ctx context.Context, s *site, c *crowd) ([]time.Duration, error) {
	v.documents++
	id := world.Document(world.Grouped, theGroup, v.documents)
	if err := world.Insert(ctx, s.stores.rows, []world.Row{{ID: id, Title: world.TitleForAll(id)}}); err != nil {
		return nil, err
	}
	r := c.expect(everybody, id)
	defer c.round.Store(nil)
	called := time.Now()
	if err := s.stores.relationships.Touch(ctx, world.GroupViewer(id, theGroup)); err != nil {
		return nil, err
	}
	return c.took(r, called)
}
