package spicedbtest

import (
	"context"
	"fmt"
	"slices"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/tuple"
)

// Touch writes relationships, each "document:readme#viewer@user:alice" with an
// optional caveat and expiration behind it, as SpiceDB's tools print them. Those
// that exist already are written again.
func (s *Server) Touch(ctx context.Context, relationships ...string) error {
	return s.write(ctx, authzedv1.RelationshipUpdate_OPERATION_TOUCH, relationships)
}

// Delete removes relationships. It is no error if they are not there.
func (s *Server) Delete(ctx context.Context, relationships ...string) error {
	return s.write(ctx, authzedv1.RelationshipUpdate_OPERATION_DELETE, relationships)
}

func (s *Server) write(ctx context.Context, op authzedv1.RelationshipUpdate_Operation, relationships []string) error {
	const most = 1000 // as engineConfig allows
	for chunk := range slices.Chunk(relationships, most) {
		updates := make([]*authzedv1.RelationshipUpdate, len(chunk))
		for i, text := range chunk {
			rel, err := tuple.ParseV1Rel(text)
			if err != nil {
				return fmt.Errorf("relationship %q: %w", text, err)
			}
			updates[i] = &authzedv1.RelationshipUpdate{Operation: op, Relationship: rel}
		}
		_, err := authzedv1.NewPermissionsServiceClient(s.admin).WriteRelationships(ctx,
			&authzedv1.WriteRelationshipsRequest{Updates: updates})
		if err != nil {
			return fmt.Errorf("write relationships: %w", err)
		}
	}
	return nil
}
