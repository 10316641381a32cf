package spicedb

import (
	"context"
	"errors"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
)

var errNoRevision = errors.New("SpiceDB did not say at which revision it answered")

// Head implements authz.Engine. There is always a token: without one, a watch
// would begin somewhere after what was looked up before it.
func (c *Client) Head(ctx context.Context) (authz.ZedToken, bool, error) {
	const op = "ask for the newest revision"
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	res, err := c.reflect(ctx, c.cfg.Timeout, reflectHeartbeat(fullyConsistent()))
	at, definitions := res.GetReadAt(), res.GetDefinitions()
	if status.Code(err) == codes.NotFound {
		if at, err = c.headWithoutSchema(ctx); err == nil {
			// There may be a schema by now.
			res, err = c.reflect(ctx, c.cfg.Timeout, reflectHeartbeat(exactly(at)))
			definitions = res.GetDefinitions()
		}
		if status.Code(err) == codes.NotFound {
			err = nil
		}
	}
	if err != nil {
		return "", false, c.failed(ctx, op, err)
	}
	if at.GetToken() == "" {
		return "", false, authz.E(authz.Unavailable, op, errNoRevision)
	}
	return authz.ZedToken(at.GetToken()), hasHeartbeat(definitions), nil
}

func reflectHeartbeat(at *authzedv1.Consistency) *authzedv1.ReflectSchemaRequest {
	return &authzedv1.ReflectSchemaRequest{
		Consistency:     at,
		OptionalFilters: []*authzedv1.ReflectionSchemaFilter{{OptionalDefinitionNameFilter: HeartbeatDefinition}},
	}
}

// headWithoutSchema asks for the newest revision of a server that has no schema,
// which answers every question about one with NotFound and no revision. A check
// fails too, but among several each fails on its own: then there is an answer,
// and a revision that it is of.
func (c *calls) headWithoutSchema(ctx context.Context) (*authzedv1.ZedToken, error) {
	object := objectReference(authz.ObjectRef{Type: HeartbeatDefinition, ID: "none"})
	res, err := retry(ctx, c.cfg.Timeout/2, func(ctx context.Context) (*authzedv1.CheckBulkPermissionsResponse, error) {
		return c.permissions.CheckBulkPermissions(ctx, &authzedv1.CheckBulkPermissionsRequest{
			Consistency: fullyConsistent(),
			Items: []*authzedv1.CheckBulkPermissionsRequestItem{{
				Resource: object, Permission: heartbeatRelation, Subject: &authzedv1.SubjectReference{Object: object},
			}},
		})
	})
	return res.GetCheckedAt(), err
}

// Reach implements authz.Engine. It asks for the newest revision once more after
// SpiceDB has taken the token, since a look at the head revision may be shared with a
// call from before the token's write: the next one is not.
func (c *Client) Reach(ctx context.Context, token authz.ZedToken) error {
	const op = "reach the revision of a token"
	at := &authzedv1.Consistency{Requirement: &authzedv1.Consistency_AtLeastAsFresh{AtLeastAsFresh: asZedToken(token)}}
	if _, err := c.reflect(ctx, c.cfg.Timeout, reflectNothing(at)); err != nil && status.Code(err) != codes.NotFound {
		return c.refusedRevision(ctx, op, err)
	}
	_, _, err := c.Head(ctx)
	return err
}
