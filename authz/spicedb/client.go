package spicedb

import (
	"context"
	"errors"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/shapegate/shapegate/authz"
)

// Client asks one SpiceDB server, or several that are one cluster. It is safe
// for concurrent use.
//
// Its errors are an *authz.Error, except that a cancelled context comes back as
// context.Canceled. Unavailable is whatever may pass: a server that is away, slow,
// overloaded, whose database restarts, or that refuses the preshared key. Unanswerable
// is what will not: a definition or permission that the schema does not have, a cycle.
type Client struct {
	conn *grpc.ClientConn
	calls
	failures
}

// calls makes the calls of SpiceDB's API, and makes those that read again where that
// helps. Its errors are gRPC's.
type calls struct {
	permissions authzedv1.PermissionsServiceClient
	schema      authzedv1.SchemaServiceClient
	watch       authzedv1.WatchServiceClient
	cfg         Config
}

var _ authz.Engine = (*Client)(nil)

func newClient(conn *grpc.ClientConn, cfg Config) *Client {
	return &Client{
		conn: conn,
		calls: calls{
			permissions: authzedv1.NewPermissionsServiceClient(conn),
			schema:      authzedv1.NewSchemaServiceClient(conn),
			watch:       authzedv1.NewWatchServiceClient(conn),
			cfg:         cfg,
		},
		failures: failures{log: cfg.Logger},
	}
}

// Close ends the connection and every call on it.
func (c *Client) Close() error { return c.conn.Close() }

// Ready reports whether SpiceDB answers this client, its preshared key and its
// datastore included, by asking for a part of the schema that does not exist. A
// server that has no schema yet is ready. Errors are Unavailable.
func (c *Client) Ready(ctx context.Context) error {
	const op = "ask SpiceDB whether it is ready"
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	_, err := c.schema.ReflectSchema(ctx, reflectNothing(fullyConsistent()))
	if err == nil || answered(err) {
		return nil
	}
	return c.failed(ctx, op, err)
}

// CheckPermission reports whether a subject holds a permission on one object, at
// full consistency.
func (c *Client) CheckPermission(ctx context.Context, subject authz.Subject, resource authz.ObjectRef, permission string, caveatContext map[string]any) (bool, error) {
	results, _, err := c.CheckPermissions(ctx, []authz.Check{
		{Subject: subject.ObjectRef, Resource: resource, Permission: permission, Context: caveatContext},
	})
	if err != nil {
		return false, err
	}
	return results[0].Held, results[0].Err
}

// validRefs refuses what SpiceDB would read differently from what is meant, "*"
// above all, which stands for everybody.
func validRefs(refs ...authz.ObjectRef) error {
	for _, r := range refs {
		if _, err := authz.NewObjectRef(r.Type, r.ID); err != nil {
			return err
		}
	}
	return nil
}

func objectReference(r authz.ObjectRef) *authzedv1.ObjectReference {
	return &authzedv1.ObjectReference{ObjectType: r.Type, ObjectId: r.ID}
}

var errNotJSON = errors.New("caveat context has a value that JSON does not")

// asStruct converts caveat context. The cause is dropped from the error: it
// quotes the value, which may be a claim of the subject's token.
func asStruct(values map[string]any) (*structpb.Struct, error) {
	if len(values) == 0 {
		return nil, nil
	}
	s, err := structpb.NewStruct(values)
	if err != nil {
		return nil, errNotJSON
	}
	return s, nil
}
