package spicedb

import (
	"context"
	"errors"
	"maps"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

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
	alone   []bool                                       // the item is in a group of its own
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
	for attempt := 1; len(left) > 0; {
		changed, failed, err := c.checkAll(ctx, b, left)
		if err != nil {
			return nil, "", err
		}
		left = append(changed, failed...)
		if len(changed) > 0 {
			continue // which ends: an item is set apart once, and loses each value once
		}
		if len(failed) == 0 || attempt == maxAttempts || !pause(ctx, attempt) {
			break
		}
		attempt++
	}
	return b.results, authz.ZedToken(b.at.GetToken()), nil
}

func newBulk(checks []authz.Check) *bulk {
	const op = "check permission"
	b := &bulk{
		items: make([]*authzedv1.CheckBulkPermissionsRequestItem, len(checks)),
		alone: make([]bool, len(checks)), results: make([]authz.CheckResult, len(checks)),
	}
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

// checkAll asks some of the checks. It returns those to ask once more: because they are
// asked in another way now, or because they failed in a way that may pass.
func (c *Client) checkAll(ctx context.Context, b *bulk, left []int) (changed, failed []int, err error) {
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
			return nil, nil, err
		}
		b.at = res.GetCheckedAt()
		for j, pair := range res.GetPairs() {
			i := left[j]
			err := b.take(i, pair)
			switch {
			case err == nil:
			case b.change(i, err):
				changed = append(changed, i)
			case passing(err):
				failed = append(failed, i)
			}
		}
		left = left[n:]
	}
	return changed, failed, nil
}

// take notes the answer to the i-th check, and returns what it failed with.
func (b *bulk) take(i int, pair *authzedv1.CheckBulkPermissionsPair) error {
	const op = "check permission"
	failure := pair.GetError()
	if failure == nil {
		b.results[i] = authz.CheckResult{Held: permitted(pair.GetItem().GetPermissionship())}
		return nil
	}
	err := status.ErrorProto(failure)
	b.results[i] = authz.CheckResult{Err: authz.E(itemKind(status.Code(err)), op, err)}
	return err
}

// aloneKey is a value of caveat context that no caveat has.
const aloneKey = "shapegate/alone"

// change has the i-th check asked in another way, if that may help: without a value that
// a caveat could not take, or apart from others. SpiceDB answers checks of the same
// subject, permission, type and context as one group, and one that cannot be evaluated
// fails its group. A value of its own sets a check apart.
func (b *bulk) change(i int, err error) bool {
	item := b.items[i]
	if narrower, ok := withoutOffender(item.GetContext(), err); ok {
		if b.alone[i] {
			narrower.Fields[aloneKey] = item.GetContext().GetFields()[aloneKey]
		}
		item.Context = narrower
		return true
	}
	if b.alone[i] || passing(err) || !b.hasGroup(i) {
		return false
	}
	b.alone[i] = true
	fields := map[string]*structpb.Value{aloneKey: structpb.NewNumberValue(float64(i))}
	maps.Copy(fields, item.GetContext().GetFields())
	item.Context = &structpb.Struct{Fields: fields}
	return true
}

// hasGroup reports whether SpiceDB may answer the i-th check together with others.
func (b *bulk) hasGroup(i int) bool {
	key := func(item *authzedv1.CheckBulkPermissionsRequestItem) [4]string {
		subject := item.GetSubject().GetObject()
		return [4]string{subject.GetObjectType(), subject.GetObjectId(), item.GetResource().GetObjectType(), item.GetPermission()}
	}
	for j, item := range b.items {
		if j != i && item != nil && key(item) == key(b.items[i]) {
			return true
		}
	}
	return false
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
