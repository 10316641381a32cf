package spicedb

import (
	"context"
	"errors"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
)

// Precondition is what must be true of the relationships for a write to be done.
type Precondition struct {
	Filter RelationshipFilter
	Absent bool // no relationship is selected; false: at least one is
}

// ErrPrecondition is the cause of an Invalid error: a precondition did not hold, and
// nothing was written.
var ErrPrecondition = errors.New("a precondition does not hold")

// WriteRelationshipsIf is WriteRelationships, if the preconditions hold at the same
// moment. So a write that was decided on what was read before does nothing where that is
// not true any more: another has written meanwhile, or this one arrives late.
func (c *Client) WriteRelationshipsIf(ctx context.Context, preconditions []Precondition, updates ...Update) (zedToken string, err error) {
	conditions := make([]*authzedv1.Precondition, len(preconditions))
	for i, p := range preconditions {
		conditions[i] = &authzedv1.Precondition{Operation: authzedv1.Precondition_OPERATION_MUST_MATCH, Filter: p.Filter.toAPI()}
		if p.Absent {
			conditions[i].Operation = authzedv1.Precondition_OPERATION_MUST_NOT_MATCH
		}
	}
	return c.write(ctx, conditions, updates)
}

// preconditionFailed reports whether SpiceDB refused a write for its preconditions.
func preconditionFailed(err error) bool {
	const reason = authzedv1.ErrorReason_ERROR_REASON_WRITE_OR_DELETE_PRECONDITION_FAILURE
	s, _ := status.FromError(err)
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetReason() == reason.String() {
			return true
		}
	}
	return false
}

// refusedWrite is refused, for writes with preconditions.
func (f *failures) refusedWrite(ctx context.Context, op string, err error) error {
	if preconditionFailed(err) {
		return authz.E(authz.Invalid, op, ErrPrecondition)
	}
	return f.refused(ctx, op, err)
}
