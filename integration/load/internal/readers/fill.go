package readers

import (
	"context"
	"errors"

	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// common is the row that everybody may see.
func common() string { return world.Document(world.Common, 0, 0) }

// withheld is the i-th of the rows that nobody may see.
func withheld(i int) string { return world.Document(world.Withheld, 0, i) }

// rows lists every row of the world, as it is at the start.
func (o *options) rows() []world.Row {
	const start = firstMark
	all := []world.Row{{ID: common(), Title: world.TitleForAll(start)}}
	for i := range o.withheld {
		all = append(all, world.Row{ID: withheld(i), Title: world.TitleForNobody(start)})
	}
	for n := range o.people {
		for _, id := range world.Documents(world.Own, n, o.own) {
			all = append(all, world.Row{ID: id, Title: world.TitleFor(n, start)})
		}
	}
	return all
}

// grants lists what the people may see.
func (o *options) grants() []string {
	var all []string
	for n := range o.people {
		all = append(all, world.Viewer(common(), n))
		for _, id := range world.Documents(world.Own, n, o.own) {
			all = append(all, world.Viewer(id, n))
		}
		all = append(all, world.Each(o.target.Each, n)...)
	}
	return all
}

// fill writes the world, and has it cleared in the end where it is not only ours.
func (s *site) fill(ctx context.Context, more []string) error {
	table, grants := s.o.rows(), append(s.o.grants(), more...)
	s.say("writing %d rows and %d relationships", len(table), len(grants))
	if err := s.relationships.PrepareSchema(ctx); err != nil {
		return err
	}
	if s.o.target.SpiceDBEndpoint != "" {
		s.onClose(func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTime)
			defer cancel()
			return errors.Join(s.relationships.Delete(ctx, grants...), world.Clear(ctx, s.rows))
		})
	}
	if err := world.Clear(ctx, s.rows); err != nil {
		return err
	}
	if err := world.Insert(ctx, s.rows, table); err != nil {
		return err
	}
	return s.relationships.Touch(ctx, grants...)
}
