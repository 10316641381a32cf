// Package relationships writes to SpiceDB what the load tool's people may see.
package relationships

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// Writer writes relationships.
type Writer struct{ Client *spicedb.Client }

const (
	mostUpdates = 1000 // that SpiceDB takes at once by default
	atOnce      = 2    // writes
)

// Touch writes relationships, whether they are there or not.
func (w Writer) Touch(ctx context.Context, relationships ...string) error {
	return w.write(ctx, spicedb.Touch, relationships)
}

// Delete removes relationships, whether they are there or not.
func (w Writer) Delete(ctx context.Context, relationships ...string) error {
	return w.write(ctx, spicedb.Delete, relationships)
}

func (w Writer) write(ctx context.Context, op spicedb.Operation, relationships []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for chunk := range slices.Chunk(relationships, mostUpdates) {
		group.Go(func() error {
			updates := make([]spicedb.Update, len(chunk))
			for i, text := range chunk {
				r, err := spicedb.ParseRelationship(text)
				if err != nil {
					return fmt.Errorf("%q: %w", text, err)
				}
				updates[i] = spicedb.Update{Operation: op, Relationship: r}
			}
			_, err := w.Client.WriteRelationships(ctx, updates...)
			return err
		})
	}
	return group.Wait()
}

// PrepareSchema writes the schema where there is none. One that is there is
// in use, and is left as it is.
func (w Writer) PrepareSchema(ctx context.Context) error {
	text, err := w.Client.ReadSchema(ctx)
	if err != nil || text != "" {
		return err
	}
	_, err = w.Client.WriteSchema(ctx, world.Schema)
	return err
}
