package spicedb

import (
	"context"
	"maps"
	"slices"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"

	"github.com/shapegate/shapegate/authz"
)

// CaveatParameters returns the names of the parameters of all caveats that a
// permission, or a relation that is used as one, may come to: sorted, each once.
// The permission and its caveats may be of two revisions of the schema, if it
// changes meanwhile.
func (c *Client) CaveatParameters(ctx context.Context, definition, permission string) ([]string, error) {
	const op = "read the caveats of a permission"
	deps, err := c.Dependencies(ctx, definition, permission)
	if err != nil {
		return nil, err
	}
	res, err := c.reflect(ctx, c.cfg.LookupTimeout, &authzedv1.ReflectSchemaRequest{Consistency: fullyConsistent()})
	if err != nil {
		return nil, c.failed(ctx, op, err)
	}
	caveats := make(map[string]bool)
	for _, d := range res.GetDefinitions() {
		for _, r := range d.GetRelations() {
			if !deps.Relations[authz.Relation{Definition: d.GetName(), Name: r.GetName()}] {
				continue
			}
			for _, t := range r.GetSubjectTypes() {
				caveats[t.GetOptionalCaveatName()] = true
			}
		}
	}
	names := make(map[string]bool)
	for _, caveat := range res.GetCaveats() {
		if !caveats[caveat.GetName()] {
			continue
		}
		for _, p := range caveat.GetParameters() {
			names[p.GetName()] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}
