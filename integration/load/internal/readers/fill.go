package readers

import (
	"context"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// common is the row that everybody may see.
func common() string { return world.Document(world.Common, 0, 0) }

// withheld is the i-th of the rows that nobody may see.
func withheld(i int) string { return world.Document(world.Withheld, 0, i) }

// rows lists every row of the world, as it is at the start.
func (o *options) rows() []world.Row {
	all := []world.Row{{ID: common(), Title: world.TitleForAll(firstMark)}}
	for i := range o.withheld {
		all = append(all, world.Row{ID: withheld(i), Title: world.TitleForNobody(firstMark)})
	}
	for n := range o.people {
		for _, id := range world.Documents(world.Own, n, o.own) {
			all = append(all, world.Row{ID: id, Title: world.TitleFor(n, firstMark)})
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

// fill writes the world.
func (s *site) fill(ctx context.Context) error {
	table := s.o.rows()
	s.say("writing %d rows", len(table))
	if err := world.Clear(ctx, s.rows); err != nil {
		return err
	}
	if s.backend == nil {
		s.onClose(func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTime)
			defer cancel()
			return world.Clear(ctx, s.rows)
		})
	}
	if err := world.Insert(ctx, s.rows, table); err != nil {
		return err
	}
	if err := s.relationships.PrepareSchema(ctx); err != nil {
		return err
	}
	return s.relate(ctx, s.o.grants())
}

// clearTime bounds how long tidying up may take, even after an interrupt.
const clearTime = time.Minute

// relate writes relationships, and has them deleted in the end where SpiceDB is
// another person's.
func (s *site) relate(ctx context.Context, relationships []string) error {
	s.say("writing %d relationships", len(relationships))
	if s.backend != nil && s.backend.SpiceDB != "" {
		return child.PostLines(ctx, s.backend.Control+"/relationships", relationships)
	}
	s.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTime)
		defer cancel()
		return s.relationships.Delete(ctx, relationships...)
	})
	return s.relationships.Touch(ctx, relationships...)
}
