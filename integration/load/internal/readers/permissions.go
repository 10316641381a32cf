package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/quantile"
	"github.com/shapegate/shapegate/integration/load/internal/usage"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// permissions measures collections of grants beside a shape that asks for the same
// permission: how soon a changed relationship is with the clients of both, what they ask of
// SpiceDB, and what each person takes of memory. It measures a first read of many objects,
// too. It is not among all: the engine in memory takes minutes for so many lookups.
type permissions struct {
	options
	holders int
	held    int
	groups  int
	samples int
	wide    wide
	plain   bool

	documents int // that were granted so far
}

func (v *permissions) use() (name, short string) {
	return "permissions", "Measure collections of grants, against a shape that asks for the same permission"
}

func (v *permissions) bind(flags *pflag.FlagSet) {
	v.options.bind(flags)
	flags.IntVar(&v.holders, "holders", 1000, "people who wait, each with a client of the shape and of each collection")
	flags.IntVar(&v.held, "held", 1000, "objects that each of them may view; every second of them may be edited, too")
	flags.IntVar(&v.groups, "groups", 20, "groups through which they hold them")
	flags.IntVar(&v.samples, "samples", 50, "relationships that are written and deleted, one after the other")
	flags.IntVar(&v.wide.objects, "wide", 100_000, "objects of the people whose first reads are measured")
	flags.BoolVar(&v.plain, "plain", false, "ask for permissions without an exclusion, so that SpiceDB checks no object by itself; the first reads stay as they are")
	flags.BoolVar(&v.http2, "http2", false, "let the clients that wait share connections of HTTP/2, so that they need few open files")
	flags.IntVar(&v.wide.reads, "reads", 5, "first reads, each of another person; 0: none")
}

func (v *permissions) complete(getenv func(string) string) error {
	v.people, v.own, v.withheld = 1, 0, 0
	err := errors.Join(v.options.complete(getenv), atLeast(0, sizes{"reads": v.wide.reads}), atLeast(1, sizes{
		"holders": v.holders, "held": v.held, "groups": v.groups, "samples": v.samples, "wide": v.wide.objects,
	}))
	v.wide.first = firstHolder + v.holders
	if err == nil && v.target.URL != "" {
		err = errors.New("permissions measures collections of the tool's own shapegate: leave out --url")
	}
	return err
}

func (v *permissions) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	if err := needFiles([]int{v.connections()}); err != nil {
		return nil, err
	}
	s, err := openSite(ctx, &v.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.stores.relate(ctx, v.holdings()); err != nil {
		return nil, err
	}
	// A shapegate that has not heard all of it one by one.
	if err := s.gate.restart(ctx); err != nil {
		return nil, err
	}
	r := &report{title: fmt.Sprintf("permissions: collections of grants; %d people with %d objects each, through %d groups", v.holders, v.held, v.groups)}
	if err := v.beside(ctx, s, r); err != nil || v.wide.reads == 0 {
		return r, err
	}
	return r, v.wide.measure(ctx, s, r)
}

// requestsPerConnection is how many requests a server on net/http takes on a connection of
// HTTP/2 at once, or more.
const requestsPerConnection = 100

// connections is how many the clients need at most.
func (v *permissions) connections() int {
	clients := 3 * v.holders
	if v.http2 {
		return clients/requestsPerConnection + 3
	}
	return clients
}

// firstHolder is the first of the people who wait; the wide ones are behind them.
const firstHolder = 1

// holdings lists who may do what. The rows are not there, so that only ids are held.
func (v *permissions) holdings() []string {
	var all []string
	of := func(group, objects int) {
		for i, id := range world.Documents(world.Absent, group, objects) {
			all = append(all, world.GroupViewer(id, group))
			if i%2 == 0 {
				all = append(all, world.GroupEditor(id, group))
			}
		}
	}
	for g := range v.groups {
		of(g, v.held)
	}
	for n := range v.holders {
		all = append(all, world.Member(n%v.groups, firstHolder+n))
	}
	if v.wide.reads > 0 {
		of(v.groups, v.wide.objects)
	}
	for n := v.wide.first; n < v.wide.after(); n++ {
		all = append(all, world.Member(v.groups, n))
	}
	return all
}

// beside opens the clients of the shape and then those of one collection and of the other,
// and measures changes each time.
func (v *permissions) beside(ctx context.Context, s *site, r *report) (err error) {
	paths := world.Checked
	if v.plain {
		paths = world.Plain
	}
	alone, used, err := v.open(ctx, s, s.collection("shapegate", paths.Shape), r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, alone.leave(ctx, r)) }()
	base, err := v.changes(ctx, s, alone)
	if err != nil {
		return err
	}
	r.add(figure{name: "a shape's client and its person, heap and stack", got: kilobytes(used)})

	views, viewsUsed, err := v.open(ctx, s, s.collection("views", paths.Views), r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, views.leave(ctx, r)) }()
	shared, err := v.changes(ctx, s, alone, views)
	if err != nil {
		return err
	}
	v.report(r, "a collection of the same permission", viewsUsed, used, shared, base)

	actions, actionsUsed, err := v.open(ctx, s, s.collection("actions", paths.Actions), r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, actions.leave(ctx, r)) }()
	more, err := v.changes(ctx, s, alone, actions)
	if err != nil {
		return err
	}
	v.report(r, "a collection of two", actionsUsed, used, more, base)
	return nil
}

func (v *permissions) report(r *report, name string, used, shape float64, got, base changed) {
	r.figures = append(r.figures, quantiles(name+": given", "shape", quantile.Of(got.given[1]), quantile.Of(got.given[0]))...)
	r.figures = append(r.figures, quantiles(name+": taken", "shape", quantile.Of(got.taken[1]), quantile.Of(got.taken[0]))...)
	r.add(figure{
		name: name + ": calls to SpiceDB for a change", got: fmt.Sprintf("%.1f", got.calls),
		base: fmt.Sprintf("shape alone %.1f", base.calls), ratio: ratio(got.calls, base.calls),
	})
	r.add(figure{name: name + ": its client and its ids, heap and stack", got: kilobytes(used), base: "shape " + kilobytes(shape), ratio: ratio(used, shape)})
}

// open opens a client of each person, and returns by how much the heap and the stacks have
// grown for each.
func (v *permissions) open(ctx context.Context, s *site, d *door, r *report) (_ *crowd, each float64, err error) {
	// What the first client of all brings is not what each client takes. It is of a person who
	// holds nothing.
	one, err := s.openCrowd(ctx, d, 1, v.wide.after(), v.wide.after()+1)
	if err != nil {
		return nil, 0, err
	}
	if err := one.leave(ctx, r); err != nil {
		return nil, 0, err
	}
	before, err := d.meter(ctx, true)
	if err != nil {
		return nil, 0, err
	}
	c, err := s.openCrowd(ctx, d, v.holders, firstHolder, firstHolder+v.holders)
	if err != nil {
		return nil, 0, err
	}
	after, err := d.meter(ctx, true)
	if err != nil {
		return nil, 0, errors.Join(err, c.leave(ctx, r))
	}
	s.say("%s: %s more for %d people", d.name, kilobytes(inUse(after)-inUse(before)), v.holders)
	return c, (inUse(after) - inUse(before)) / float64(v.holders), nil
}

func inUse(u usage.Usage) float64 { return u.Heap + u.Stack }

// collection is the door to a collection of grants.
func (s *site) collection(name, path string) *door {
	d := s.shapegate()
	d.name = name
	d.base = s.gate.shape.ResolveReference(&url.URL{Path: path})
	return d
}
