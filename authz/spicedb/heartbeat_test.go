package spicedb

import (
	"context"
	"testing"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

func TestHeartbeatsComeBack(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: testSchema + HeartbeatSchema})
	c := dial(t, testConfig(s))
	w := startWatch(t, c, head(t, c))
	const heartbeats = 5
	for n := range uint64(heartbeats + 1) {
		must(t, c.Heartbeat(t.Context(), "one", n))
		must(t, c.Heartbeat(t.Context(), "two", 100+n))
	}
	must(t, c.EndHeartbeats(t.Context(), "two"))
	must(t, s.Touch(t.Context(), "document:last#viewer@user:alice"))
	events := w.until(t, with("last"))
	got := make(map[string][]uint64)
	for _, e := range events {
		for process, n := range e.Heartbeats {
			got[process] = append(got[process], n)
		}
	}
	want := map[string][]uint64{"one": {0, 1, 2, 3, 4, 5}, "two": {100, 101, 102, 103, 104, 105}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("heartbeats (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"+document:last#viewer@user:alice"}, describe(events)); diff != "" {
		t.Errorf("other updates (-want +got):\n%s", diff)
	}

	left := read(t, c, RelationshipFilter{ResourceType: HeartbeatDefinition})
	if diff := cmp.Diff([]string{"shapegate_canary:one#beat@shapegate_canary:5"}, left); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	must(t, c.EndHeartbeats(t.Context(), "one"))
	must(t, c.EndHeartbeats(t.Context(), "one")) // there is nothing left to delete
	if left := read(t, c, RelationshipFilter{ResourceType: HeartbeatDefinition}); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestTheLastHeartbeatOfARevisionCounts(t *testing.T) {
	update := func(op authzedv1.RelationshipUpdate_Operation, rel *authzedv1.Relationship) *authzedv1.RelationshipUpdate {
		return &authzedv1.RelationshipUpdate{Operation: op, Relationship: rel}
	}
	const touch, create, remove = authzedv1.RelationshipUpdate_OPERATION_TOUCH,
		authzedv1.RelationshipUpdate_OPERATION_CREATE, authzedv1.RelationshipUpdate_OPERATION_DELETE
	foreign := heartbeatOf("one", 0)
	foreign.Subject.Object.ObjectId = "another"
	e := asEvent(&authzedv1.WatchResponse{Updates: []*authzedv1.RelationshipUpdate{
		update(touch, heartbeatOf("one", 7)), update(remove, heartbeatOf("one", 9)), update(create, heartbeatOf("one", 8)),
		update(touch, heartbeatOf("one", 6)), update(remove, heartbeatOf("two", 3)), update(touch, foreign),
	}})
	if diff := cmp.Diff(authz.WatchEvent{Heartbeats: map[string]uint64{"one": 8}}, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// refusing answers writes with an error.
type refusing struct {
	authzedv1.PermissionsServiceClient
	err error
}

func (r *refusing) WriteRelationships(context.Context, *authzedv1.WriteRelationshipsRequest, ...grpc.CallOption) (*authzedv1.WriteRelationshipsResponse, error) {
	return nil, r.err
}

func TestKindsOfAHeartbeatThatFails(t *testing.T) {
	with := spicedbtest.Config{Schema: testSchema + HeartbeatSchema}
	readOnly := with
	readOnly.ReadOnly = true
	away := spicedbtest.Start(t, with)
	away.Pause()
	client := func(cfg spicedbtest.Config) *Client { return dial(t, testConfig(spicedbtest.Start(t, cfg))) }
	refused := func(code codes.Code) *Client {
		c := client(with)
		return withPermissions(c, &refusing{c.permissions, status.Error(code, "no")})
	}
	wrongKey := testConfig(spicedbtest.Start(t, with))
	wrongKey.Token = "wrong"
	for name, tt := range map[string]struct {
		c    *Client
		want authz.Kind
	}{
		"away":                     {dial(t, testConfig(away)), authz.Unavailable},
		"a wrong key":              {dial(t, wrongKey), authz.Unavailable},
		"a conflict":               {refused(codes.Aborted), authz.Unavailable},
		"no schema":                {client(spicedbtest.Config{}), authz.Unanswerable},
		"no definition":            {client(spicedbtest.Config{Schema: testSchema}), authz.Unanswerable},
		"another definition":       {client(spicedbtest.Config{Schema: "definition user {}\ndefinition shapegate_canary {\nrelation beat: user\n}"}), authz.Internal},
		"read-only":                {client(readOnly), authz.Unavailable},
		"a key that may not write": {refused(codes.PermissionDenied), authz.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			wantKind(t, tt.c.Heartbeat(t.Context(), "one", 1), tt.want)
		})
	}
	for _, process := range []string{"", "*", "a b"} {
		wantKind(t, client(with).Heartbeat(t.Context(), process, 1), authz.Invalid)
		wantKind(t, client(with).EndHeartbeats(t.Context(), process), authz.Invalid)
	}
}
