package spicedb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"

	"github.com/shapegate/shapegate/authz"
)

// Operation is what to do with a relationship.
type Operation uint8

// The operations that may be repeated without harm. SpiceDB's CREATE, which
// fails where the relationship exists, is not among them.
const (
	Touch  Operation = iota // write it, whether it exists or not
	Delete                  // remove it, if it exists
)

// Update is one change to relationships.
type Update struct {
	Operation    Operation
	Relationship Relationship
}

// WriteRelationships applies the updates in one transaction, and returns the
// ZedToken of its revision. It is not tried again. SpiceDB takes 1,000 updates
// at once by default. Updates that the schema does not allow are an Invalid error.
func (c *Client) WriteRelationships(ctx context.Context, updates ...Update) (zedToken string, err error) {
	return c.write(ctx, nil, updates)
}

func (c *Client) write(ctx context.Context, conditions []*authzedv1.Precondition, updates []Update) (zedToken string, err error) {
	const op = "write relationships"
	req := &authzedv1.WriteRelationshipsRequest{
		Updates:               make([]*authzedv1.RelationshipUpdate, len(updates)),
		OptionalPreconditions: conditions,
	}
	for i, u := range updates {
		rel, err := u.Relationship.toAPI()
		if err != nil {
			return "", authz.E(authz.Invalid, op, err)
		}
		update := &authzedv1.RelationshipUpdate{Relationship: rel}
		switch u.Operation {
		case Touch:
			update.Operation = authzedv1.RelationshipUpdate_OPERATION_TOUCH
		case Delete:
			update.Operation = authzedv1.RelationshipUpdate_OPERATION_DELETE
		default:
			return "", authz.E(authz.Invalid, op, fmt.Errorf("operation %d", u.Operation))
		}
		req.Updates[i] = update
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout)
	defer cancel()
	res, err := c.permissions.WriteRelationships(ctx, req)
	if err != nil {
		return "", c.refusedWrite(ctx, op, err)
	}
	return res.GetWrittenAt().GetToken(), nil
}

// RelationshipFilter selects relationships. Empty fields select all; at least
// one field must be set, and those of the subject need SubjectType.
type RelationshipFilter struct {
	ResourceType string
	ResourceID   string
	Relation     string

	SubjectType string
	SubjectID   string
}

// ReadRelationships yields the relationships that the filter selects, in no
// order, as they are when it begins. An error ends the sequence, which is then a
// part of the answer. It is not resumed.
func (c *Client) ReadRelationships(ctx context.Context, filter RelationshipFilter) iter.Seq2[Relationship, error] {
	const op = "read relationships"
	return func(yield func(Relationship, error) bool) {
		ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout)
		defer cancel()
		stream, err := c.permissions.ReadRelationships(ctx, &authzedv1.ReadRelationshipsRequest{
			Consistency:        fullyConsistent(),
			RelationshipFilter: filter.toAPI(),
		})
		for err == nil {
			var res *authzedv1.ReadRelationshipsResponse
			if res, err = stream.Recv(); err == nil && !yield(fromAPI(res.GetRelationship()), nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(Relationship{}, c.refused(ctx, op, err))
		}
	}
}

func (f RelationshipFilter) toAPI() *authzedv1.RelationshipFilter {
	filter := &authzedv1.RelationshipFilter{
		ResourceType:       f.ResourceType,
		OptionalResourceId: f.ResourceID,
		OptionalRelation:   f.Relation,
	}
	if f.SubjectType != "" || f.SubjectID != "" {
		filter.OptionalSubjectFilter = &authzedv1.SubjectFilter{
			SubjectType:       f.SubjectType,
			OptionalSubjectId: f.SubjectID,
		}
	}
	return filter
}
