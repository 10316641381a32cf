package readers

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/relationships"
	"github.com/shapegate/shapegate/integration/load/internal/rows"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// stores is where the world is written: its rows, and its relationships. What is
// written to a database or a SpiceDB that is another person's is deleted in the end.
type stores struct {
	log  io.Writer
	ends *ends

	rows     rows.Rows
	lentRows bool // the database is another person's

	relationships relationships.Writer
	control       string // of the backend that takes relationships for its own SpiceDB; empty: SpiceDB is another person's
}

// clearTime bounds how long tidying up may take, even after an interrupt.
const clearTime = time.Minute

// atEnd has what was written deleted in the end.
func (s *stores) atEnd(ctx context.Context, clear func(context.Context) error) {
	s.ends.add(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTime)
		defer cancel()
		return clear(ctx)
	})
}

// fill writes the world, in place of what was there of an earlier one.
func (s *stores) fill(ctx context.Context, table []world.Row, grants []string) error {
	fmt.Fprintf(s.log, "writing %d rows\n", len(table))
	if err := world.Clear(ctx, s.rows); err != nil {
		return err
	}
	if s.lentRows {
		s.atEnd(ctx, func(ctx context.Context) error { return world.Clear(ctx, s.rows) })
	}
	if err := world.Insert(ctx, s.rows, table); err != nil {
		return err
	}
	if err := s.relationships.PrepareSchema(ctx); err != nil {
		return err
	}
	return s.relate(ctx, grants)
}

// relate writes relationships.
func (s *stores) relate(ctx context.Context, relationships []string) error {
	fmt.Fprintf(s.log, "writing %d relationships\n", len(relationships))
	if s.control != "" {
		return child.PostLines(ctx, s.control+"/relationships", relationships)
	}
	s.atEnd(ctx, func(ctx context.Context) error { return s.relationships.Delete(ctx, relationships...) })
	return s.relationships.Touch(ctx, relationships...)
}
