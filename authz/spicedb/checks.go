package spicedb

import (
	"context"
	"errors"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc/codes"
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

// bulk is several checks on their way to their results.
type bulk struct {
	items   []*authzedv1.CheckBulkPermissionsRequestItem // nil: not to be asked
	results []authz.CheckResult
	at      *authzedv1.ZedToken // the revision that the answers are of; nil before the first
}

// CheckPermissions implements authz.Engine. Where the checks need several calls,
// the later ones ask for exactly the revision that the first one was answered at.
// Config.Timeout bounds each call.
func (c *Client) CheckPermissions(ctx context.Context, checks []authz.Check) ([]authz.CheckResult, authz.ZedToken, error) {
	b := newBulk(checks)
	left := make([]int, 0, len(checks))
	for i, item := range b.items {
		if item != nil {
			left = append(left, i)
		}
	}
	for attempt := 1; len(left) > 0; attempt++ {
		again, err := c.checkAll(ctx, b, left)
		if err != nil {
			return nil, "", err
		}
		// What failed and may pass is asked again, and what lost a value of its
		// context, which happens at most once for each value.
		if len(again) == len(left) && (attempt >= maxAttempts || !pause(ctx, min(attempt, maxAttempts))) {
			break
		}
		left = again
	}
	return b.results, authz.ZedToken(b.at.GetToken()), nil
}

func newBulk(checks []authz.Check) *bulk {
	const op = "check permissions"
	b := &bulk{items: make([]*authzedv1.CheckBulkPermissionsRequestItem, len(checks)), results: make([]authz.CheckResult, len(checks))}
	for i, check := range checks {
		values, err := asStruct(check.Context)
		if err != nil {
			err = authz.E(authz.Invalid, op, err)
		} else {
			err = validRefs(check.Subject, check.Resource)
		}
		if err != nil {
			b.results[i].Err = err
			continue
		}
		b.items[i] = &authzedv1.CheckBulkPermissionsRequestItem{
			Resource:   objectReference(check.Resource),
			Permission: check.Permission,
			Subject:    &authzedv1.SubjectReference{Object: objectReference(check.Subject)},
			Context:    values,
		}
	}
	return b
}

// checkAll asks some of the checks, and returns those to ask once more.
func (c *Client) checkAll(ctx context.Context, b *bulk, left []int) (again []int, err error) {
	for len(left) > 0 {
		n := b.fitting(left)
		req := &authzedv1.CheckBulkPermissionsRequest{Consistency: fullyConsistent()}
		if b.at != nil {
			req.Consistency = exactly(b.at)
		}
		for _, i := range left[:n] {
			req.Items = append(req.Items, b.items[i])
		}
		res, err := c.checkBulk(ctx, req)
		if err != nil {
			return nil, err
		}
		b.at = res.GetCheckedAt()
		for j, pair := range res.GetPairs() {
			if c.take(b, left[j], pair) {
				again = append(again, left[j])
			}
		}
		left = left[n:]
	}
	return again, nil
}

// take notes the answer to the i-th check, and reports whether to ask it once more.
func (c *Client) take(b *bulk, i int, pair *authzedv1.CheckBulkPermissionsPair) (again bool) {
	const op = "check permission"
	failure := pair.GetError()
	if failure == nil {
		b.results[i] = authz.CheckResult{Held: permitted(pair.GetItem().GetPermissionship())}
		return false
	}
	err := status.ErrorProto(failure)
	b.results[i] = authz.CheckResult{Err: authz.E(itemKind(status.Code(err)), op, err)}
	if narrower, ok := withoutOffender(b.items[i].GetContext(), err); ok {
		b.items[i].Context = narrower
		return true
	}
	return passing(err)
}

// itemKind is kindOf for one item of an answer that came: SpiceDB works, and what is
// Internal is this item's own error.
func itemKind(code codes.Code) authz.Kind {
	if code == codes.Internal {
		return authz.Unanswerable
	}
	return kindOf(code)
}

// fitting is how many of the checks go into one call, at least one.
func (b *bulk) fitting(left []int) int {
	size := 0
	for n, i := range left {
		if size += proto.Size(b.items[i]); n > 0 && (n == maxChecks || size > maxChecksSize) {
			return n
		}
	}
	return len(left)
}

// checkBulk makes one call.
func (c *Client) checkBulk(ctx context.Context, req *authzedv1.CheckBulkPermissionsRequest) (*authzedv1.CheckBulkPermissionsResponse, error) {
	const op = "check permissions"
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	res, err := retry(ctx, c.cfg.Timeout/2, func(ctx context.Context) (*authzedv1.CheckBulkPermissionsResponse, error) {
		return c.permissions.CheckBulkPermissions(ctx, req)
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
