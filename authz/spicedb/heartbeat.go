package spicedb

import (
	"context"
	"strconv"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"

	"github.com/shapegate/shapegate/authz"
)

// Heartbeats are written to a definition of their own in the schema. A heartbeat that the
// watch brings back proves that the watch has brought all that was written before it:
//
//	definition shapegate_canary {
//		relation beat: shapegate_canary
//	}
//
// After its n-th heartbeat a process has one relationship:
// "shapegate_canary:<process>#beat@shapegate_canary:<n>".
const (
	// HeartbeatDefinition is the definition's name.
	HeartbeatDefinition = "shapegate_canary"
	heartbeatRelation   = "beat"
)

// HeartbeatSchema is what the schema has to have for heartbeats to be written.
const HeartbeatSchema = `definition ` + HeartbeatDefinition + ` {
	relation ` + heartbeatRelation + `: ` + HeartbeatDefinition + `
}`

// hasHeartbeat reports whether heartbeats can be written under the schema.
func hasHeartbeat(definitions []*authzedv1.ReflectionDefinition) bool {
	for _, d := range definitions {
		for _, r := range d.GetRelations() {
			if d.GetName() != HeartbeatDefinition || r.GetName() != heartbeatRelation {
				continue
			}
			for _, t := range r.GetSubjectTypes() {
				if isPlain(t) && t.GetSubjectDefinitionName() == HeartbeatDefinition {
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

// Heartbeat implements authz.Engine. No two processes may have the same name, nor one
// that was used before: a relationship that is there already is not written again, and
// the watch does not bring it.
//
// It is not tried again: there is a next one. A heartbeat that got no answer may be
// written after later ones.
func (c *Client) Heartbeat(ctx context.Context, process string, n uint64) error {
	const op = "write a heartbeat"
	if err := validRefs(authz.ObjectRef{Type: HeartbeatDefinition, ID: process}); err != nil {
		return err
	}
	req := &authzedv1.WriteRelationshipsRequest{Updates: []*authzedv1.RelationshipUpdate{
		{Operation: authzedv1.RelationshipUpdate_OPERATION_TOUCH, Relationship: heartbeatOf(process, n)},
	}}
	if n > 0 {
		req.Updates = append(req.Updates, &authzedv1.RelationshipUpdate{
			Operation: authzedv1.RelationshipUpdate_OPERATION_DELETE, Relationship: heartbeatOf(process, n-1),
		})
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if _, err := c.permissions.WriteRelationships(ctx, req); err != nil {
		return c.failed(ctx, op, err)
	}
	return nil
}

// EndHeartbeats deletes what Heartbeat left of a process.
func (c *Client) EndHeartbeats(ctx context.Context, process string) error {
	const op = "delete heartbeats"
	if err := validRefs(authz.ObjectRef{Type: HeartbeatDefinition, ID: process}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	_, err := c.permissions.DeleteRelationships(ctx, &authzedv1.DeleteRelationshipsRequest{
		RelationshipFilter: &authzedv1.RelationshipFilter{
			ResourceType: HeartbeatDefinition, OptionalResourceId: process, OptionalRelation: heartbeatRelation,
		},
	})
	if err != nil {
		return c.failed(ctx, op, err)
	}
	return nil
}

func heartbeatOf(process string, n uint64) *authzedv1.Relationship {
	object := func(id string) *authzedv1.ObjectReference {
		return objectReference(authz.ObjectRef{Type: HeartbeatDefinition, ID: id})
	}
	return &authzedv1.Relationship{
		Resource: object(process),
		Relation: heartbeatRelation,
		Subject:  &authzedv1.SubjectReference{Object: object(strconv.FormatUint(n, 10))},
	}
}
