package spicedb

import (
	"context"
	"strconv"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
)

// The canary is a definition of the schema that is there to be written to, so
// that the watch has something to tell when nothing else happens:
//
//	definition shapegate_canary {
//		relation beat: shapegate_canary
//	}
//
// A process that has beaten n times has the one relationship
// "shapegate_canary:<process>#beat@shapegate_canary:<n>".
const (
	canaryDefinition = "shapegate_canary"
	canaryRelation   = "beat"
)

// CanarySchema is what the schema has to have for beats to be written.
const CanarySchema = `definition ` + canaryDefinition + ` {
	relation ` + canaryRelation + `: ` + canaryDefinition + `
}`

// hasCanary reports whether beats can be written under the schema.
func hasCanary(definitions []*authzedv1.ReflectionDefinition) bool {
	for _, d := range definitions {
		for _, r := range d.GetRelations() {
			if d.GetName() != canaryDefinition || r.GetName() != canaryRelation {
				continue
			}
			for _, t := range r.GetSubjectTypes() {
				if isPlain(t) && t.GetSubjectDefinitionName() == canaryDefinition {
					return true
				}
			}
		}
	}
	return false
}

// isPlain reports whether the type is of single objects without a caveat. SpiceDB
// has a field is_terminal_subject for that, which it leaves false.
func isPlain(t *authzedv1.ReflectionTypeReference) bool {
	return t.GetOptionalRelationName() == "" && !t.GetIsPublicWildcard() && t.GetOptionalCaveatName() == ""
}

// Beat implements authz.Engine. No two processes may have the same name, nor one
// that was used before: a relationship that is there already is not written
// again, and the watch does not tell of it.
//
// It is not tried again: there is a next one. A beat that got no answer may be
// written after later ones.
func (c *Client) Beat(ctx context.Context, process string, n uint64) error {
	const op = "write a beat"
	if err := validRefs(authz.ObjectRef{Type: canaryDefinition, ID: process}); err != nil {
		return err
	}
	req := &authzedv1.WriteRelationshipsRequest{Updates: []*authzedv1.RelationshipUpdate{
		{Operation: authzedv1.RelationshipUpdate_OPERATION_TOUCH, Relationship: beatOf(process, n)},
	}}
	if n > 0 {
		req.Updates = append(req.Updates, &authzedv1.RelationshipUpdate{
			Operation: authzedv1.RelationshipUpdate_OPERATION_DELETE, Relationship: beatOf(process, n-1),
		})
	}
	writing, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if _, err := c.permissions.WriteRelationships(writing, req); err != nil {
		if c.refusesWrites(ctx, err) {
			return authz.E(authz.Internal, op, err)
		}
		return c.failed(writing, op, err)
	}
	return nil
}

// EndBeats deletes what Beat left of a process.
func (c *Client) EndBeats(ctx context.Context, process string) error {
	const op = "delete beats"
	if err := validRefs(authz.ObjectRef{Type: canaryDefinition, ID: process}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	_, err := c.permissions.DeleteRelationships(ctx, &authzedv1.DeleteRelationshipsRequest{
		RelationshipFilter: &authzedv1.RelationshipFilter{
			ResourceType: canaryDefinition, OptionalResourceId: process, OptionalRelation: canaryRelation,
		},
	})
	if err != nil {
		return c.failed(ctx, op, err)
	}
	return nil
}

func beatOf(process string, n uint64) *authzedv1.Relationship {
	object := func(id string) *authzedv1.ObjectReference {
		return objectReference(authz.ObjectRef{Type: canaryDefinition, ID: id})
	}
	return &authzedv1.Relationship{
		Resource: object(process),
		Relation: canaryRelation,
		Subject:  &authzedv1.SubjectReference{Object: object(strconv.FormatUint(n, 10))},
	}
}

// refusesWrites reports whether a write failed for good although SpiceDB answers
// us: it is read-only, which it calls Unavailable, or lets our key read and not
// write, which has the code of a key that is wrong altogether.
func (c *Client) refusesWrites(ctx context.Context, err error) bool {
	switch status.Code(err) {
	case codes.Unavailable:
		return isReadOnly(err)
	case codes.PermissionDenied, codes.Unauthenticated:
		return c.Ready(ctx) == nil
	default:
		return false
	}
}

func isReadOnly(err error) bool {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetReason() == authzedv1.ErrorReason_ERROR_REASON_SERVICE_READ_ONLY.String() {
			return true
		}
	}
	return false
}
