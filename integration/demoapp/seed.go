package demoapp

import (
	"context"
	"fmt"
	"strings"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// unfinished is in the schema until all relationships are written.
const unfinished = "definition demo_seed_unfinished {}"

// Seed writes a schema and relationships into a SpiceDB that has no schema, and reports
// whether it did. One that has a schema is in use: a relationship that was taken away there
// must not come back. A Seed that ended half-way is made up for.
func Seed(ctx context.Context, client *spicedb.Client, schema string, relationships []string) (bool, error) {
	updates := make([]spicedb.Update, len(relationships))
	for i, text := range relationships {
		r, err := spicedb.ParseRelationship(text)
		if err != nil {
			return false, err
		}
		updates[i] = spicedb.Update{Operation: spicedb.Touch, Relationship: r}
	}
	present, err := client.ReadSchema(ctx)
	if err != nil || present != "" && !strings.Contains(present, unfinished) {
		return false, err
	}
	if _, err := client.WriteSchema(ctx, schema+"\n\n"+unfinished); err != nil {
		return false, fmt.Errorf("the schema: %w", err)
	}
	if len(updates) > 0 {
		if _, err := client.WriteRelationships(ctx, updates...); err != nil {
			return false, fmt.Errorf("the relationships, after the schema was written: %w", err)
		}
	}
	if _, err := client.WriteSchema(ctx, schema); err != nil {
		return false, fmt.Errorf("the schema, after the relationships were written: %w", err)
	}
	return true, nil
}
