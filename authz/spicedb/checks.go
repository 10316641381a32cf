package spicedb

import (
	"context"
	"errors"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/shapegate/shapegate/authz"
)

const (
	// maxChecks is how many checks are sent in one call. SpiceDB takes 10,000; an
	// answer that is lost costs less to get again if it is smaller.
	maxChecks = 1000

	// maxChecksSize is how large a call may be, in bytes: gRPC servers take 4 MB
	// by default, and every check brings its own caveat context.
	maxChecksSize = 2 << 20
)

var errMiscounted = errors.New("SpiceDB gave another number of answers than it was asked for")

// CheckPermissions implements authz.Engine. Where the checks need several calls,
// the later ones ask for exactly the revision that the first one was answered at.
// Config.Timeout bounds each call.
func (c *Client) CheckPermissions(ctx context.Context, checks []authz.Check) ([]bool, error) {
	const op = "check permissions"
	items := make([]*authzedv1.CheckBulkPermissionsRequestItem, len(checks))
	for i, check := range checks {
		if err := validRefs(check.Subject, check.Resource); err != nil {
			return nil, err
		}
		values, err := asStruct(check.Context)
		if err != nil {
			return nil, authz.E(authz.Invalid, op, err)
		}
		items[i] = &authzedv1.CheckBulkPermissionsRequestItem{
			Resource:   objectReference(check.Resource),
			Permission: check.Permission,
			Subject:    &authzedv1.SubjectReference{Object: objectReference(check.Subject)},
			Context:    values,
		}
	}
	held := make([]bool, 0, len(items))
	consistency := fullyConsistent()
	for len(items) > 0 {
		n := fitting(items)
		res, err := c.checkBulk(ctx, op, &authzedv1.CheckBulkPermissionsRequest{Consistency: consistency, Items: items[:n]})
		if err != nil {
			return nil, err
		}
		for _, pair := range res.GetPairs() {
			held = append(held, permitted(pair.GetItem().GetPermissionship()))
		}
		items = items[n:]
		consistency = exactly(res.GetCheckedAt())
	}
	return held, nil
}

// fitting is how many of the items go into one call, at least one.
func fitting(items []*authzedv1.CheckBulkPermissionsRequestItem) int {
	size := 0
	for i, item := range items {
		if size += proto.Size(item); i > 0 && (i == maxChecks || size > maxChecksSize) {
			return i
		}
	}
	return len(items)
}

// checkBulk makes one call. A check that failed fails the call: an answer in part
// is none.
func (c *Client) checkBulk(ctx context.Context, op string, req *authzedv1.CheckBulkPermissionsRequest) (*authzedv1.CheckBulkPermissionsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	res, err := retry(ctx, c.cfg.Timeout/2, func(ctx context.Context) (*authzedv1.CheckBulkPermissionsResponse, error) {
		res, err := c.permissions.CheckBulkPermissions(ctx, req)
		for _, pair := range res.GetPairs() {
			if failure := pair.GetError(); err == nil && failure != nil {
				err = status.ErrorProto(failure)
			}
		}
		return res, err
	})
	if err != nil {
		return nil, c.failed(ctx, op, err)
	}
	if len(res.GetPairs()) != len(req.GetItems()) {
		return nil, authz.E(authz.Internal, op, errMiscounted)
	}
	return res, nil
}

// permitted is true for an unconditional yes only: CONDITIONAL_PERMISSION is a
// caveat that lacked context, and a denial.
func permitted(p authzedv1.CheckPermissionResponse_Permissionship) bool {
	return p == authzedv1.CheckPermissionResponse_PERMISSIONSHIP_HAS_PERMISSION
}
