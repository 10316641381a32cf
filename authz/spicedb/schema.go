package spicedb

import (
	"context"
	"time"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Definition is an object type of the schema.
type Definition struct {
	Name        string // with its prefix, if it has one: "tenant/document"
	Permissions []string
	Relations   []string
}

// Reflect returns the definitions of the newest schema, none if there is no
// schema. It needs a SpiceDB that has ReflectSchema.
func (c *Client) Reflect(ctx context.Context) ([]Definition, error) {
	const op = "reflect schema"
	res, err := c.reflect(ctx, c.cfg.LookupTimeout, &authzedv1.ReflectSchemaRequest{Consistency: fullyConsistent()})
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, c.failed(ctx, op, err)
	}
	definitions := make([]Definition, 0, len(res.GetDefinitions()))
	for _, d := range res.GetDefinitions() {
		def := Definition{Name: d.GetName()}
		for _, p := range d.GetPermissions() {
			def.Permissions = append(def.Permissions, p.GetName())
		}
		for _, r := range d.GetRelations() {
			def.Relations = append(def.Relations, r.GetName())
		}
		definitions = append(definitions, def)
	}
	return definitions, nil
}

// reflect asks for the schema, again where that may help, within a time.
func (c *calls) reflect(ctx context.Context, within time.Duration, req *authzedv1.ReflectSchemaRequest) (*authzedv1.ReflectSchemaResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return retry(ctx, within/2, func(ctx context.Context) (*authzedv1.ReflectSchemaResponse, error) {
		return c.schema.ReflectSchema(ctx, req)
	})
}

// reflectNothing asks for a part of the schema that does not exist, which is
// answered whenever anything is at that consistency.
func reflectNothing(at *authzedv1.Consistency) *authzedv1.ReflectSchemaRequest {
	return &authzedv1.ReflectSchemaRequest{
		Consistency: at,
		OptionalFilters: []*authzedv1.ReflectionSchemaFilter{
			{OptionalDefinitionNameFilter: "shapegate/no_such_definition"},
		},
	}
}

// ReadSchema returns the text of the newest schema, "" if there is none.
func (c *Client) ReadSchema(ctx context.Context) (string, error) {
	const op = "read schema"
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout)
	defer cancel()
	res, err := retry(ctx, c.cfg.LookupTimeout/2, func(ctx context.Context) (*authzedv1.ReadSchemaResponse, error) {
		return c.schema.ReadSchema(ctx, &authzedv1.ReadSchemaRequest{})
	})
	if status.Code(err) == codes.NotFound {
		return "", nil
	}
	if err != nil {
		return "", c.failed(ctx, op, err)
	}
	return res.GetSchemaText(), nil
}

// WriteSchema replaces the schema, and returns the ZedToken of the revision that
// has it. It is not tried again. A schema that SpiceDB refuses (a syntax error,
// a relation that still has relationships) is an Invalid error with SpiceDB's
// reason in it.
func (c *Client) WriteSchema(ctx context.Context, schema string) (zedToken string, err error) {
	const op = "write schema"
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout)
	defer cancel()
	res, err := c.schema.WriteSchema(ctx, &authzedv1.WriteSchemaRequest{Schema: schema})
	if err != nil {
		return "", c.refused(ctx, op, err)
	}
	return res.GetWrittenAt().GetToken(), nil
}
