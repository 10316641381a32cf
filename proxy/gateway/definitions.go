package gateway

import (
	"context"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/schema"
)

// ReadDefinitions reads the definitions of SpiceDB's schema, as shapes are compared with
// them. Errors are those of spicedb.Client.Reflect.
func ReadDefinitions(ctx context.Context, client *spicedb.Client) ([]schema.Definition, error) {
	found, err := client.Reflect(ctx)
	if err != nil {
		return nil, err
	}
	definitions := make([]schema.Definition, len(found))
	for i, d := range found {
		definitions[i] = schema.Definition(d)
	}
	return definitions, nil
}
