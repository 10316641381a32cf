package spicedb

import (
	"context"
	"errors"
	"io"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"

	"github.com/shapegate/shapegate/authz"
)

// LookupSubjects implements authz.Engine. SpiceDB gives no cursors here: a stream that
// breaks begins again, so yield may be called twice with the same subject.
func (c *Client) LookupSubjects(ctx context.Context, resource authz.ObjectRef, permission, subjectType string, yield func(authz.SubjectFound)) (authz.ZedToken, error) {
	const op = "look up subjects"
	if err := validRefs(resource); err != nil {
		return "", err
	}
	req := &authzedv1.LookupSubjectsRequest{
		Consistency:       fullyConsistent(),
		Resource:          objectReference(resource),
		Permission:        permission,
		SubjectObjectType: subjectType,
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		at, err := c.subjectsOf(ctx, req, yield)
		switch {
		case err == nil:
			return at, nil
		case at != "":
			// What was yielded is of this revision, and so must be the rest.
			req.Consistency = exactly(asZedToken(at))
		}
		if !passing(err) || attempt >= maxAttempts || !pause(ctx, attempt) {
			return "", c.failed(ctx, op, err)
		}
	}
}

// subjectsOf reads one stream to its end.
func (c *calls) subjectsOf(ctx context.Context, req *authzedv1.LookupSubjectsRequest, yield func(authz.SubjectFound)) (at authz.ZedToken, err error) {
	ctx, cancel := context.WithCancel(ctx) // frees the stream, however this ends
	defer cancel()
	stream, err := c.permissions.LookupSubjects(ctx, req)
	for err == nil {
		var res *authzedv1.LookupSubjectsResponse
		if res, err = stream.Recv(); err != nil {
			break
		}
		at = authz.ZedToken(res.GetLookedUpAt().GetToken())
		yield(asSubjectFound(res))
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return at, err
}

func asSubjectFound(res *authzedv1.LookupSubjectsResponse) authz.SubjectFound {
	found := authz.SubjectFound{ID: res.GetSubject().GetSubjectObjectId(), Conditional: isConditional(res.GetSubject())}
	for _, x := range res.GetExcludedSubjects() {
		if found.Excluded == nil {
			found.Excluded = make(map[string]bool)
		}
		found.Excluded[x.GetSubjectObjectId()] = isConditional(x)
	}
	return found
}

func isConditional(s *authzedv1.ResolvedSubject) bool {
	return s.GetPermissionship() != authzedv1.LookupPermissionship_LOOKUP_PERMISSIONSHIP_HAS_PERMISSION
}
