package spicedb

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/explain"
)

// Trace answers one check, and says how SpiceDB came to the answer. It is asked at exactly
// a revision, or at full consistency if that is empty. It costs several calls, and none of
// them is answered from SpiceDB's cache: it is for people who want to know why.
//
// Errors are those of CheckPermission, and Invalid if the revision is not to be had.
func (c *Client) Trace(ctx context.Context, check authz.Check, at authz.ZedToken) (explain.Answer, error) {
	const op = "trace a check"
	values, err := asStruct(check.Context)
	if err != nil {
		return explain.Answer{}, authz.E(authz.Invalid, op, err)
	}
	if err := validRefs(check.Subject, check.Resource); err != nil {
		return explain.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout)
	defer cancel()
	t := tracer{calls: &c.calls, at: fullyConsistent(), check: check, context: values}
	if at != "" {
		t.at = exactly(asZedToken(at))
	}
	answer, err := t.run(ctx)
	switch {
	case err == nil:
		return answer, nil
	case at != "":
		return explain.Answer{}, c.refusedRevision(ctx, op, err)
	default:
		return explain.Answer{}, c.failed(ctx, op, err)
	}
}

// tracer asks for one trace. Its errors are gRPC's.
type tracer struct {
	calls   *calls
	at      *authzedv1.Consistency // of the first call; then exactly the revision of its answer
	check   authz.Check
	context *structpb.Struct
	asked   int // calls for details
}

// mostDetails bounds how many calls are made to find out which of several objects, and
// which relationship, a step rests on. What is beyond them is told less exactly.
const mostDetails = 50

var errNoTrace = errors.New("SpiceDB did not say how it came to its answer")

func (t *tracer) run(ctx context.Context) (explain.Answer, error) {
	res, ignored, err := t.first(ctx)
	if err != nil {
		return explain.Answer{}, err
	}
	debug := res.GetDebugTrace()
	if debug.GetCheck() == nil {
		return explain.Answer{}, errNoTrace
	}
	t.at = exactly(res.GetCheckedAt())
	root, err := t.trace(ctx, debug.GetCheck())
	if err != nil {
		return explain.Answer{}, err
	}
	return explain.Answer{
		Held:    permitted(res.GetPermissionship()),
		Trace:   root,
		Schema:  explain.ReadSchema(debug.GetSchemaUsed()),
		At:      authz.ZedToken(res.GetCheckedAt().GetToken()),
		Ignored: ignored,
	}, nil
}

// first asks the check, without the values of the context that a caveat cannot take.
func (t *tracer) first(ctx context.Context) (_ *authzedv1.CheckPermissionResponse, ignored []string, err error) {
	for {
		res, err := t.ask(ctx, t.check.Resource, t.check.Permission)
		narrower, ok := withoutOffender(t.context, err)
		if !ok {
			return res, ignored, err
		}
		for name := range t.context.GetFields() {
			if narrower.GetFields()[name] == nil {
				ignored = append(ignored, name)
			}
		}
		t.context = narrower
	}
}

func (t *tracer) ask(ctx context.Context, resource authz.ObjectRef, permission string) (*authzedv1.CheckPermissionResponse, error) {
	return retry(ctx, t.calls.cfg.LookupTimeout/2, func(ctx context.Context) (*authzedv1.CheckPermissionResponse, error) {
		return t.calls.permissions.CheckPermission(ctx, &authzedv1.CheckPermissionRequest{
			Consistency: t.at,
			Resource:    objectReference(resource),
			Permission:  permission,
			Subject:     &authzedv1.SubjectReference{Object: objectReference(t.check.Subject)},
			Context:     t.context,
			WithTracing: true,
		})
	})
}

// detail reports whether one more call may be made to find out more.
func (t *tracer) detail() bool {
	t.asked++
	return t.asked <= mostDetails
}

// trace returns a step of SpiceDB's with those that it rests on.
func (t *tracer) trace(ctx context.Context, from *authzedv1.CheckDebugTrace) (explain.Trace, error) {
	object := from.GetResource()
	step := explain.Trace{
		Object: authz.ObjectRef{Type: object.GetObjectType(), ID: object.GetObjectId()},
		Name:   from.GetPermission(),
		Caveat: caveatOf(from.GetCaveatEvaluationInfo()),
	}
	step.Outcome = outcomeOf(from.GetResult(), step.Caveat)
	for _, part := range from.GetSubProblems().GetTraces() {
		parts, err := t.parts(ctx, part)
		if err != nil {
			return step, err
		}
		step.Parts = append(step.Parts, parts...)
	}
	if from.GetPermissionType() != authzedv1.CheckDebugTrace_PERMISSION_TYPE_RELATION {
		return step, nil
	}
	if err := t.dropConditional(ctx, &step); err != nil {
		return step, err
	}
	var err error
	if mayNameSubject(&step) && t.detail() {
		step.Grantee, err = t.grantee(ctx, &step)
	}
	return step, err
}

// mayNameSubject reports whether a relation leads to the subject by a relationship of its
// own: it does not by what it rests on.
func mayNameSubject(step *explain.Trace) bool {
	for _, part := range step.Parts {
		if part.Outcome == explain.Held || part.Caveat != nil && step.Outcome != explain.Held {
			return false
		}
	}
	return step.Outcome == explain.Held || step.Caveat != nil
}

// dropConditional leaves out the sets of a relation that holds whatever caveats say, which
// are named with a caveat. Their members are, but what they are members of may not count.
func (t *tracer) dropConditional(ctx context.Context, step *explain.Trace) error {
	held := 0
	for _, part := range step.Parts {
		if part.Outcome == explain.Held {
			held++
		}
	}
	if step.Outcome != explain.Held || step.Caveat != nil || held < 2 {
		return nil
	}
	var parts []explain.Trace
	for _, part := range step.Parts {
		if part.Outcome == explain.Held && t.detail() {
			found, caveat, err := t.relationship(ctx, step, part.Object, part.Name)
			if err != nil {
				return err
			}
			if found && caveat != "" {
				continue
			}
		}
		parts = append(parts, part)
	}
	step.Parts = parts
	return nil
}

// parts returns a step that the one above rests on. SpiceDB looks at several objects of one
// type in one step, and does not say which of them hold: each is asked about on its own.
func (t *tracer) parts(ctx context.Context, from *authzedv1.CheckDebugTrace) (parts []explain.Trace, err error) {
	ids := strings.Split(from.GetResource().GetObjectId(), ",") // no id has a comma
	if len(ids) == 1 {
		step, err := t.trace(ctx, from)
		return []explain.Trace{step}, err
	}
	for _, id := range ids {
		object := authz.ObjectRef{Type: from.GetResource().GetObjectType(), ID: id}
		if from.GetResult() == authzedv1.CheckDebugTrace_PERMISSIONSHIP_NO_PERMISSION || !t.detail() {
			parts = append(parts, explain.Trace{Object: object, Name: from.GetPermission()})
			continue
		}
		res, err := t.ask(ctx, object, from.GetPermission())
		if err != nil {
			return nil, err
		}
		if res.GetDebugTrace().GetCheck() == nil {
			return nil, errNoTrace
		}
		step, err := t.trace(ctx, res.GetDebugTrace().GetCheck())
		if err != nil {
			return nil, err
		}
		parts = append(parts, step)
	}
	return parts, nil
}

// grantee returns whom the relationships of a step name: the subject, or everybody of its
// type.
func (t *tracer) grantee(ctx context.Context, step *explain.Trace) (string, error) {
	for _, id := range []string{t.check.Subject.ID, authz.Wildcard} {
		subject := authz.ObjectRef{Type: t.check.Subject.Type, ID: id}
		found, _, err := t.relationship(ctx, step, subject, "")
		if err != nil {
			return "", err
		}
		if found {
			return subject.String(), nil
		}
	}
	return "", nil
}

// relationship reports whether a step's relation names a subject, or a set, and the caveat
// under which it does, if there is one.
func (t *tracer) relationship(ctx context.Context, step *explain.Trace, subject authz.ObjectRef, relation string) (found bool, caveat string, err error) {
	filter := RelationshipFilter{
		ResourceType: step.Object.Type, ResourceID: step.Object.ID, Relation: step.Name,
		SubjectType: subject.Type, SubjectID: subject.ID,
	}.toAPI()
	filter.OptionalSubjectFilter.OptionalRelation = &authzedv1.SubjectFilter_RelationFilter{Relation: relation}
	// What is tried is given a time of its own, whose end frees the stream.
	res, err := retry(ctx, t.calls.cfg.Timeout, func(ctx context.Context) (*authzedv1.ReadRelationshipsResponse, error) {
		stream, err := t.calls.permissions.ReadRelationships(ctx, &authzedv1.ReadRelationshipsRequest{Consistency: t.at, RelationshipFilter: filter})
		if err != nil {
			return nil, err
		}
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, nil //nolint:nilnil // there is none
		}
		return res, err
	})
	return res != nil, res.GetRelationship().GetOptionalCaveat().GetCaveatName(), err
}

// outcomeOf returns what came of a step. SpiceDB says of a caveated one that it is
// conditional, and beside it what the caveat came to.
func outcomeOf(result authzedv1.CheckDebugTrace_Permissionship, caveat *explain.Caveat) explain.Outcome {
	switch {
	case result == authzedv1.CheckDebugTrace_PERMISSIONSHIP_HAS_PERMISSION:
		return explain.Held
	case result != authzedv1.CheckDebugTrace_PERMISSIONSHIP_CONDITIONAL_PERMISSION || caveat == nil:
		return explain.NotHeld
	case caveat.Result == explain.CaveatTrue:
		return explain.Held
	case caveat.Result == explain.CaveatMissing:
		return explain.Lacking
	}
	return explain.NotHeld
}

func caveatOf(from *authzedv1.CaveatEvalInfo) *explain.Caveat {
	c := explain.Caveat{
		Name: from.GetCaveatName(), Expression: from.GetExpression(),
		Context: from.GetContext().AsMap(), Missing: []string{},
	}
	switch from.GetResult() {
	case authzedv1.CaveatEvalInfo_RESULT_TRUE:
		c.Result = explain.CaveatTrue
	case authzedv1.CaveatEvalInfo_RESULT_FALSE:
		c.Result = explain.CaveatFalse
	case authzedv1.CaveatEvalInfo_RESULT_MISSING_SOME_CONTEXT:
		c.Result = explain.CaveatMissing
		c.Missing = slices.Sorted(slices.Values(from.GetPartialCaveatInfo().GetMissingRequiredContext()))
	default:
		return nil // it was not evaluated
	}
	return &c
}
