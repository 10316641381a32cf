package spicedb

import (
	"context"
	"errors"
	"io"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/shapegate/shapegate/authz"
)

// LookupResources implements authz.Engine. The ids are those at one revision,
// which SpiceDB chose when the lookup began.
//
// The answer is one stream, without a limit. A limit would cut it into pages, of
// at most 1,000 on a server with default settings, each of which starts the
// search over: five times slower for 30,000 ids.
//
// A stream that breaks is resumed at the same revision: after the last result,
// any number of times while that makes progress, so that a proxy that ends every
// stream after some seconds slows a lookup down and does not stop it; maxAttempts
// times without progress; and within Config.LookupTimeout. A server that sends no
// cursors (SpiceDB's experimental "lr3" sends none without a limit) cannot make
// progress: there, the lookup begins again.
func (c *Client) LookupResources(ctx context.Context, l authz.Lookup, yield func(id string)) (authz.ZedToken, error) {
	return c.LookupConditional(ctx, l, func(id string, missing []string) {
		// Only an unconditional yes, as in CheckPermission. An id may come conditionally by
		// one path and unconditionally by another.
		if missing == nil {
			yield(id)
		}
	})
}

// LookupConditional is LookupResources, and yields besides each id that depends on caveats
// for which the context lacks values: with the parameters that are missing. They are nil
// for an id that is held, and else not.
func (c *Client) LookupConditional(ctx context.Context, l authz.Lookup, yield func(id string, missing []string)) (authz.ZedToken, error) {
	const op = "look up resources"
	if err := validRefs(l.Subject); err != nil {
		return "", err
	}
	values, err := asStruct(l.Context)
	if err != nil {
		return "", authz.E(authz.Invalid, op, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout)
	defer cancel()
	for {
		at, err := c.lookupAll(ctx, l, values, yield)
		narrower, ok := withoutOffender(values, err)
		switch {
		case err == nil:
			return at, nil
		case ok:
			values = narrower
		case l.At != "":
			return "", c.refusedRevision(ctx, op, err)
		default:
			return "", c.failed(ctx, op, err)
		}
	}
}

// lookupAll looks up with one caveat context, resuming where a stream breaks. What it
// yields before an error is of the answer with any smaller context too: a value that
// SpiceDB could not take has decided nothing.
func (c *calls) lookupAll(ctx context.Context, l authz.Lookup, values *structpb.Struct, yield func(id string, missing []string)) (authz.ZedToken, error) {
	req := &authzedv1.LookupResourcesRequest{
		Consistency:        fullyConsistent(),
		ResourceObjectType: l.ResourceType,
		Permission:         l.Permission,
		Subject:            &authzedv1.SubjectReference{Object: objectReference(l.Subject)},
		Context:            values,
	}
	if l.At != "" {
		req.Consistency = exactly(asZedToken(l.At))
	}
	var at authz.ZedToken
	for attempt := 1; ; attempt++ {
		last, err := c.lookupFrom(ctx, req, yield)
		if last.revision != nil {
			at = authz.ZedToken(last.revision.GetToken())
		}
		if err == nil {
			return at, nil
		}
		if resumeAfter(req, last) {
			attempt = 1
		}
		if !passing(err) || attempt >= maxAttempts || !pause(ctx, attempt) {
			return "", err
		}
	}
}

// place is how far a stream came.
type place struct {
	cursor   *authzedv1.Cursor   // after the last result that had one, or nil
	revision *authzedv1.ZedToken // of the results, or nil if there were none
}

// resumeAfter changes req so that it continues where a stream broke off, and
// reports whether it is further on than before.
//
// A cursor is bound to the request that it came from: SpiceDB refuses it where
// anything else differs, the consistency included, and takes the revision from
// it, whatever the consistency says. So with a cursor the request stays as it
// is. Without one, but with results, it must ask for their revision by name, or
// the answer would be made of two: both full consistency and at_least_as_fresh
// mean another revision each time.
func resumeAfter(req *authzedv1.LookupResourcesRequest, last place) (progress bool) {
	switch {
	case last.cursor != nil:
		req.OptionalCursor = last.cursor
		return true
	case last.revision != nil && req.GetOptionalCursor() == nil:
		req.Consistency = exactly(last.revision)
	}
	return false
}

// lookupFrom reads one stream to its end.
func (c *calls) lookupFrom(ctx context.Context, req *authzedv1.LookupResourcesRequest, yield func(id string, missing []string)) (last place, err error) {
	ctx, cancel := context.WithCancel(ctx) // frees the stream, however this ends
	defer cancel()
	stream, err := c.permissions.LookupResources(ctx, req)
	if err != nil {
		return last, err
	}
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		switch res.GetPermissionship() {
		case authzedv1.LookupPermissionship_LOOKUP_PERMISSIONSHIP_HAS_PERMISSION:
			yield(res.GetResourceObjectId(), nil)
		case authzedv1.LookupPermissionship_LOOKUP_PERMISSIONSHIP_CONDITIONAL_PERMISSION:
			yield(res.GetResourceObjectId(), append([]string{}, res.GetPartialCaveatInfo().GetMissingRequiredContext()...))
		default:
		}
		// A result without a cursor comes again after a resumption, which is
		// harmless: ids may come twice.
		last.revision = res.GetLookedUpAt()
		if cursor := res.GetAfterResultCursor(); cursor != nil {
			last.cursor = cursor
		}
	}
}
