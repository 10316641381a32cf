package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// grants writes relationships.
type grants struct{ client *spicedb.Client }

// mostUpdates is how many relationships SpiceDB takes at once by default.
const mostUpdates = 1000

func (g grants) touch(ctx context.Context, relationships ...string) error {
	return g.write(ctx, spicedb.Touch, relationships)
}

func (g grants) delete(ctx context.Context, relationships ...string) error {
	return g.write(ctx, spicedb.Delete, relationships)
}

func (g grants) write(ctx context.Context, op spicedb.Operation, relationships []string) error {
	for chunk := range slices.Chunk(relationships, mostUpdates) {
		updates := make([]spicedb.Update, len(chunk))
		for i, text := range chunk {
			r, err := spicedb.ParseRelationship(text)
			if err != nil {
				return fmt.Errorf("%q: %w", text, err)
			}
			updates[i] = spicedb.Update{Operation: op, Relationship: r}
		}
		if _, err := g.client.WriteRelationships(ctx, updates...); err != nil {
			return err
		}
	}
	return nil
}

// prepareSchema writes the schema where there is none. One that is there is
// somebody's, and is left as it is.
func (g grants) prepareSchema(ctx context.Context) error {
	text, err := g.client.ReadSchema(ctx)
	if err != nil || text != "" {
		return err
	}
	_, err = g.client.WriteSchema(ctx, zed)
	return err
}
