package spicedb

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/shapegate/shapegate/authz"
)

func checkOf(who, id string, caveatContext map[string]any) authz.Check {
	return authz.Check{Subject: user(who).ObjectRef, Resource: document(id), Permission: "view", Context: caveatContext}
}

func TestSeveralChecksAreAnsweredInTheirOrder(t *testing.T) {
	s := startServer(t, "", testRelationships)
	c := dial(t, testConfig(s))
	office := map[string]any{"network": "office"}
	apollo := authz.ObjectRef{Type: "project", ID: "apollo"}
	tests := []struct {
		check authz.Check
		want  bool
	}{
		{checkOf("alice", "direct", nil), true},
		{checkOf("bob", "direct", nil), false},
		{checkOf("alice", "office", nil), false}, // conditional
		{checkOf("alice", "office", office), true},
		{checkOf("alice", "office", map[string]any{"network": "home"}), false},
		{checkOf("alice", "excluded", nil), false},
		{checkOf("zoe", "public", nil), true},
		{checkOf("alice", "missing", nil), false},
		{authz.Check{Subject: user("alice").ObjectRef, Resource: apollo, Permission: "view"}, true},
		{authz.Check{Subject: user("alice").ObjectRef, Resource: document("direct"), Permission: "viewer"}, true},
		{checkOf("alice", "direct", nil), true}, // a second time
		{checkOf("bob", "other", nil), true},
	}
	var checks []authz.Check
	var want []bool
	for _, tt := range tests {
		checks = append(checks, tt.check)
		want = append(want, tt.want)
	}
	got, token, err := c.CheckPermissions(t.Context(), checks)
	must(t, err)
	if diff := cmp.Diff(want, held(t, got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if token == "" {
		t.Error("no ZedToken")
	}
	if n := s.Calls("CheckBulkPermissions"); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestNoChecksAreNoCall(t *testing.T) {
	s := startServer(t, "", testRelationships)
	got, _, err := dial(t, testConfig(s)).CheckPermissions(t.Context(), nil)
	must(t, err)
	if n := s.Calls("CheckBulkPermissions"); n != 0 || len(got) != 0 {
		t.Errorf("%d calls, %d answers", n, len(got))
	}
}

// held makes sure that every check was answered.
func held(tb testing.TB, results []authz.CheckResult) (all []bool) {
	tb.Helper()
	for _, r := range results {
		must(tb, r.Err)
		all = append(all, r.Held)
	}
	return all
}

func TestOneCheckThatFailsFailsNoOther(t *testing.T) {
	s := startServer(t, "", append(testRelationships,
		"group:loop#member@group:loop#member", "document:loop#viewer@group:loop#member"))
	c := dial(t, testConfig(s))
	good := checkOf("alice", "direct", nil)
	unknown, unnamed, anybody, context := good, good, good, good
	unknown.Permission = "veiw"
	unnamed.Resource.ID = ""
	anybody.Subject.ID = authz.Wildcard
	context.Context = map[string]any{"x": struct{}{}}
	for _, tt := range []struct {
		check authz.Check
		want  authz.Kind
	}{
		{unknown, authz.Unanswerable},
		{checkOf("alice", "loop", nil), authz.Unanswerable},
		{unnamed, authz.Invalid},
		{anybody, authz.Invalid},
		{context, authz.Invalid},
	} {
		got, _, err := c.CheckPermissions(t.Context(), []authz.Check{good, tt.check, good})
		must(t, err)
		wantKind(t, got[1].Err, tt.want)
		if got[1].Held || !slices.Equal(held(t, []authz.CheckResult{got[0], got[2]}), []bool{true, true}) {
			t.Errorf("%v: %v", tt.check, got)
		}
	}
	s.Pause()
	_, _, err := c.CheckPermissions(t.Context(), []authz.Check{good})
	wantKind(t, err, authz.Unavailable)
}

// bulkWatcher calls before each call, and may change its answer.
type bulkWatcher struct {
	authzedv1.PermissionsServiceClient
	calls  atomic.Int64
	before func(call int)
	after  func(call int, res *authzedv1.CheckBulkPermissionsResponse)
}

func (b *bulkWatcher) CheckBulkPermissions(ctx context.Context, req *authzedv1.CheckBulkPermissionsRequest, opts ...grpc.CallOption) (*authzedv1.CheckBulkPermissionsResponse, error) {
	call := int(b.calls.Add(1)) - 1
	if b.before != nil {
		b.before(call)
	}
	res, err := b.PermissionsServiceClient.CheckBulkPermissions(ctx, req, opts...)
	if b.after != nil && err == nil {
		b.after(call, res)
	}
	return res, err
}

func TestManyChecksAreAnsweredAtOneRevision(t *testing.T) {
	relationships, ids := numbered(2500)
	s := startServer(t, "", relationships)
	c := dial(t, testConfig(s))
	watched := &bulkWatcher{PermissionsServiceClient: c.permissions, before: func(call int) {
		if call > 0 {
			must(t, s.Delete(t.Context(), relationships...))
		}
	}}
	checks := make([]authz.Check, len(ids))
	for i, id := range ids {
		checks[i] = checkOf("alice", id, nil)
	}
	results, _, err := withPermissions(c, watched).CheckPermissions(t.Context(), checks)
	must(t, err)
	if got := held(t, results); len(got) != len(ids) || slices.Contains(got, false) {
		t.Error("what was revoked after the first call was missed in a later one")
	}
	if n := watched.calls.Load(); n != 3 {
		t.Errorf("%d calls", n)
	}
}

func TestACheckThatMayPassIsTriedAgain(t *testing.T) {
	s := startServer(t, "", testRelationships)
	c := dial(t, testConfig(s))
	fail := func(code codes.Code, times int) *bulkWatcher {
		return &bulkWatcher{PermissionsServiceClient: c.permissions, after: func(call int, res *authzedv1.CheckBulkPermissionsResponse) {
			if call < times {
				res.Pairs[len(res.Pairs)-1].Response = &authzedv1.CheckBulkPermissionsPair_Error{Error: &spb.Status{Code: int32(code)}}
			}
		}}
	}
	checks := []authz.Check{checkOf("alice", "direct", nil), checkOf("alice", "public", nil)}
	for _, tt := range []struct {
		code  codes.Code
		times int
		calls int64
		kind  authz.Kind
		ok    bool
	}{
		{codes.Unavailable, 1, 2, 0, true},
		{codes.DeadlineExceeded, 3, 4, 0, true},
		{codes.ResourceExhausted, 9, maxAttempts, authz.Unavailable, false},
		{codes.InvalidArgument, 9, 2, authz.Internal, false}, // once more, apart from the other
		{codes.Internal, 9, 2, authz.Unanswerable, false},    // this check's own
	} {
		failing := fail(tt.code, tt.times)
		got, _, err := withPermissions(c, failing).CheckPermissions(t.Context(), checks)
		must(t, err)
		if !got[0].Held || got[1].Held != tt.ok {
			t.Errorf("%s: %v", tt.code, got)
		}
		if !tt.ok {
			wantKind(t, got[1].Err, tt.kind)
		}
		if n := failing.calls.Load(); n != tt.calls {
			t.Errorf("%s: %d calls, want %d", tt.code, n, tt.calls)
		}
	}
}

func TestAnAnswerOfAnotherLengthIsAnError(t *testing.T) {
	s := startServer(t, "", testRelationships)
	c := dial(t, testConfig(s))
	short := &bulkWatcher{PermissionsServiceClient: c.permissions, after: func(_ int, res *authzedv1.CheckBulkPermissionsResponse) {
		res.Pairs = res.Pairs[1:]
	}}
	_, _, err := withPermissions(c, short).CheckPermissions(t.Context(),
		[]authz.Check{checkOf("alice", "direct", nil), checkOf("alice", "public", nil)})
	wantKind(t, err, authz.Internal)
}

func TestCallsAreBoundedInNumberAndSize(t *testing.T) {
	item := func(size int) *authzedv1.CheckBulkPermissionsRequestItem {
		return &authzedv1.CheckBulkPermissionsRequestItem{Context: &structpb.Struct{Fields: map[string]*structpb.Value{
			"x": structpb.NewStringValue(strings.Repeat("x", size)),
		}}}
	}
	for _, tt := range []struct{ items, size, want int }{
		{1, 10, 1},
		{maxChecks, 10, maxChecks},
		{maxChecks + 1, 10, maxChecks},
		{100, maxChecksSize / 10, 9},
		{2, maxChecksSize + 1, 1},
		{1, maxChecksSize + 1, 1},
	} {
		b := &bulk{items: slices.Repeat([]*authzedv1.CheckBulkPermissionsRequestItem{item(tt.size)}, tt.items)}
		left := make([]int, tt.items)
		if got := b.fitting(left); got != tt.want {
			t.Errorf("%d of %d bytes: %d in a call, want %d", tt.items, tt.size, got, tt.want)
		}
	}
}

func TestAnswersAreAtLeastAsFreshAsTheToken(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	rel, err := ParseRelationship("document:readme#viewer@user:alice")
	must(t, err)
	for i := range 20 {
		op := []Operation{Touch, Delete}[i%2]
		_, err := c.WriteRelationships(t.Context(), Update{op, rel})
		must(t, err)
		held, err := c.CheckPermission(t.Context(), user("alice"), document("readme"), "view", nil)
		must(t, err)
		ids := 0
		_, err = c.LookupResources(t.Context(), lookupOf(user("alice"), nil), func(string) { ids++ })
		must(t, err)
		if want := op == Touch; held != want || (ids == 1) != want {
			t.Fatalf("write %d was not seen: %v, %d ids", i, held, ids)
		}
	}
}
