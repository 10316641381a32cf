package spicedbtest_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/grpcutil"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/integration/spicedbtest"
)

const schema = `
definition user {}
definition document {
	relation viewer: user
	permission view = viewer
}`

func TestAServerHoldsWhatItWasStartedWith(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{
		Schema:        schema,
		Relationships: []string{"document:readme#viewer@user:alice"},
	})
	if !view(t, s.Conn(), "alice") {
		t.Error("alice cannot view what she was granted")
	}
	if view(t, s.Conn(), "bob") {
		t.Error("bob can view what he was not granted")
	}
	must(t, s.Delete(t.Context(), "document:readme#viewer@user:alice"))
	must(t, s.Touch(t.Context(), "document:readme#viewer@user:bob"))
	if view(t, s.Conn(), "alice") || !view(t, s.Conn(), "bob") {
		t.Error("the grant did not move from alice to bob")
	}
}

func TestServersAreApart(t *testing.T) {
	grant := []string{"document:readme#viewer@user:alice"}
	a := spicedbtest.Start(t, spicedbtest.Config{Schema: schema, Relationships: grant})
	b := spicedbtest.Start(t, spicedbtest.Config{Schema: schema})
	if !view(t, a.Conn(), "alice") || view(t, b.Conn(), "alice") {
		t.Error("one server answers with another's relationships")
	}
}

func TestTCPAsksForThePresharedKey(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{
		Schema:        schema,
		Relationships: []string{"document:readme#viewer@user:alice"},
		Token:         "right",
		ListenAddr:    "127.0.0.1:0",
	})
	if !view(t, dialTCP(t, s.Addr(), "right"), "alice") {
		t.Error("the right key did not get the answer")
	}
	_, err := check(t.Context(), dialTCP(t, s.Addr(), "wrong"), "alice")
	if code := status.Code(err); code != codes.PermissionDenied && code != codes.Unauthenticated {
		t.Errorf("with a wrong key: %v", err)
	}
}

func TestAPausedServerIsUnreachableAndComesBackWithItsData(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: schema, ListenAddr: "127.0.0.1:0"})
	conn := dialTCP(t, s.Addr(), s.Token())
	addr := s.Addr()
	view(t, conn, "alice")

	s.Pause()
	if _, err := check(t.Context(), conn, "alice"); status.Code(err) != codes.Unavailable {
		t.Errorf("over TCP while paused: %v", err)
	}
	if c, err := s.DialContext(t.Context(), ""); err == nil {
		must(t, c.Close())
		t.Error("a paused server accepted a connection")
	}
	if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr); err == nil {
		must(t, c.Close())
		t.Error("a paused server kept its port open")
	}
	must(t, s.Touch(t.Context(), "document:readme#viewer@user:alice"))

	must(t, s.Resume())
	if s.Addr() != addr {
		t.Errorf("the address changed from %s to %s", addr, s.Addr())
	}
	if !view(t, dialTCP(t, addr, s.Token()), "alice") {
		t.Error("a relationship was lost over a pause")
	}
}

func TestBreakConnectionsEndsAStreamAndLetsTheNextOneIn(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: schema})
	conn := dialInProcess(t, s)
	watch, err := authzedv1.NewWatchServiceClient(conn).Watch(t.Context(), &authzedv1.WatchRequest{})
	must(t, err)
	view(t, conn, "alice") // the connection is up

	s.BreakConnections()
	if _, err := watch.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	if _, err := check(t.Context(), conn, "alice", grpc.WaitForReady(true)); err != nil {
		t.Errorf("after the cut: %v", err)
	}
}

func TestAStalledServerIsSilentAndGoesOnWhereItWas(t *testing.T) {
	for name, dial := range map[string]func(*testing.T, *spicedbtest.Server) *grpc.ClientConn{
		"in process": dialInProcess,
		"TCP":        func(t *testing.T, s *spicedbtest.Server) *grpc.ClientConn { return dialTCP(t, s.Addr(), s.Token()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := spicedbtest.Start(t, spicedbtest.Config{Schema: schema, ListenAddr: "127.0.0.1:0"})
			conn, late := dial(t, s), dial(t, s)
			watch := watch(t, s, conn)
			view(t, conn, "alice") // the connection is up

			s.Stall()
			s.Stall() // once more changes nothing
			must(t, s.Touch(t.Context(), "document:readme#viewer@user:alice"))
			if !view(t, s.Conn(), "alice") {
				t.Error("the server's own connection does not see a grant")
			}
			for _, conn := range []*grpc.ClientConn{conn, late} {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				if _, err := check(ctx, conn, "alice", grpc.WaitForReady(true)); status.Code(err) != codes.DeadlineExceeded {
					t.Errorf("a stalled server answers: %v", err)
				}
				cancel()
			}

			must(t, s.Resume())
			res, err := watch.Recv()
			must(t, err)
			if len(res.GetUpdates()) != 1 {
				t.Errorf("the stream brought %v", res)
			}
			if !view(t, conn, "alice") || !view(t, late, "alice") {
				t.Error("denied after the stall")
			}
		})
	}
}

func TestConnectionsBreakWhileTheServerIsStalled(t *testing.T) {
	for name, cut := range map[string]func(*spicedbtest.Server){
		"break": (*spicedbtest.Server).BreakConnections,
		"pause": (*spicedbtest.Server).Pause,
	} {
		t.Run(name, func(t *testing.T) {
			s := spicedbtest.Start(t, spicedbtest.Config{Schema: schema})
			conn := dialInProcess(t, s)
			watch := watch(t, s, conn)
			view(t, conn, "alice")
			s.Stall()
			cut(s)
			if _, err := watch.Recv(); status.Code(err) != codes.Unavailable {
				t.Errorf("the stream ended with %v", err)
			}
			must(t, s.Resume())
			if _, err := check(t.Context(), conn, "alice", grpc.WaitForReady(true)); err != nil {
				t.Errorf("after the stall: %v", err)
			}
		})
	}
}

func TestCallsAreCounted(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: schema, Token: "right", ListenAddr: "127.0.0.1:0"})
	view(t, s.Conn(), "alice") // the server's own
	conn := dialInProcess(t, s)
	for range 3 {
		view(t, conn, "alice")
	}
	if _, err := check(t.Context(), dialTCP(t, s.Addr(), "wrong"), "alice"); err == nil {
		t.Error("a wrong key got an answer")
	}
	watch := watch(t, s, conn)
	must(t, s.Touch(t.Context(), "document:readme#viewer@user:alice"))
	if _, err := watch.Recv(); err != nil {
		t.Error(err)
	}
	got := map[string]int{}
	for _, method := range []string{"CheckPermission", "Watch", "WriteRelationships", "WriteSchema", "LookupResources"} {
		got[method] = s.Calls(method)
	}
	want := map[string]int{"CheckPermission": 4, "Watch": 1, "WriteRelationships": 0, "WriteSchema": 0, "LookupResources": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARevisionExpiresAfterTheGCWindow(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: schema, GCWindow: 200 * time.Millisecond})
	at := revision(t, s)
	must(t, s.Touch(t.Context(), "document:readme#viewer@user:alice"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		_, err := authzedv1.NewSchemaServiceClient(s.Conn()).ReflectSchema(ctx, &authzedv1.ReflectSchemaRequest{
			Consistency: &authzedv1.Consistency{Requirement: &authzedv1.Consistency_AtExactSnapshot{AtExactSnapshot: at}},
		})
		if err != nil {
			if status.Code(err) != codes.OutOfRange {
				t.Error(err)
			}
			return
		}
	}
}

func TestAReadOnlyServerHoldsWhatItWasStartedWith(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{
		Schema:        schema + "\n// \"quoted\" and 'quoted'",
		Relationships: []string{"document:readme#viewer@user:alice", "document:readme#viewer@user:carol"},
		ReadOnly:      true,
	})
	if !view(t, s.Conn(), "alice") || view(t, s.Conn(), "bob") {
		t.Error("it does not hold what it was started with")
	}
	if err := s.Touch(t.Context(), "document:readme#viewer@user:bob"); status.Code(errors.Unwrap(err)) != codes.Unavailable {
		t.Errorf("a write was answered with %v", err)
	}
	empty := spicedbtest.Start(t, spicedbtest.Config{ReadOnly: true})
	if err := empty.WriteSchema(t.Context(), schema); err == nil {
		t.Error("a schema was written")
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	// What SpiceDB starts once for the whole process stays: start it first.
	first, err := spicedbtest.New(t.Context(), spicedbtest.Config{Schema: schema})
	must(t, err)
	must(t, first.Close())

	before := goleak.IgnoreCurrent()
	s, err := spicedbtest.New(t.Context(), spicedbtest.Config{Schema: schema, ListenAddr: "127.0.0.1:0"})
	must(t, err)
	idle, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
	must(t, err)
	t.Cleanup(func() { must(t, idle.Close()) })

	start := time.Now()
	must(t, s.Close())
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	must(t, s.Close())
	if err := s.Resume(); err == nil {
		t.Error("a closed server was resumed")
	}
	goleak.VerifyNone(t, before)
}

func TestAStartThatFailsSaysWhyAndCleansUp(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for name, cfg := range map[string]spicedbtest.Config{
		"schema":       {Schema: "definition {"},
		"relationship": {Schema: schema, Relationships: []string{"document:readme"}},
		"unknown type": {Schema: schema, Relationships: []string{"folder:a#viewer@user:b"}},
		"address":      {ListenAddr: "256.0.0.1:0"},
	} {
		if s, err := spicedbtest.New(t.Context(), cfg); err == nil {
			t.Errorf("%s: started", name)
			must(t, s.Close())
		}
	}
	goleak.VerifyNone(t, before)
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := spicedbtest.New(b.Context(), spicedbtest.Config{Schema: schema})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func TestValidationFiles(t *testing.T) {
	spicedbtest.RunValidationFile(t, "testdata/holds.yaml")

	f, err := spicedbtest.LoadValidationFile("testdata/fails.yaml")
	must(t, err)
	s := spicedbtest.Start(t, f.Config())
	err = s.CheckAssertions(t.Context(), f)
	if err == nil {
		t.Fatal("a file whose every claim is wrong passed")
	}
	var lines int
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		lines = len(joined.Unwrap())
	}
	if lines != 4 {
		t.Errorf("%d of 4 wrong claims were found:\n%v", lines, err)
	}

	empty, err := spicedbtest.ParseValidationFile([]byte("schema: \"definition user {}\"\n"))
	must(t, err)
	if err := s.CheckAssertions(t.Context(), empty); err == nil {
		t.Error("a file that claims nothing passed")
	}
}

func TestAValidationFileMayNameItsSchema(t *testing.T) {
	f, err := spicedbtest.LoadValidationFile("testdata/schemafile.yaml")
	must(t, err)
	if diff := cmp.Diff([]string{"document:readme#viewer@user:alice"}, f.Relationships); diff != "" {
		t.Error(diff)
	}
	spicedbtest.RunValidationFile(t, "testdata/schemafile.yaml")
	if _, err := spicedbtest.ParseValidationFile([]byte("schemaFile: ../secret.zed\n")); err == nil {
		t.Error("a schema outside of the directory was read")
	}
}

// check asks whether the user may view document:readme.
func check(ctx context.Context, conn *grpc.ClientConn, user string, opts ...grpc.CallOption) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	res, err := authzedv1.NewPermissionsServiceClient(conn).CheckPermission(ctx, &authzedv1.CheckPermissionRequest{
		Consistency: &authzedv1.Consistency{Requirement: &authzedv1.Consistency_FullyConsistent{FullyConsistent: true}},
		Resource:    &authzedv1.ObjectReference{ObjectType: "document", ObjectId: "readme"},
		Permission:  "view",
		Subject:     &authzedv1.SubjectReference{Object: &authzedv1.ObjectReference{ObjectType: "user", ObjectId: user}},
	}, opts...)
	return res.GetPermissionship() == authzedv1.CheckPermissionResponse_PERMISSIONSHIP_HAS_PERMISSION, err
}

func view(t *testing.T, conn *grpc.ClientConn, user string) bool {
	t.Helper()
	held, err := check(t.Context(), conn, user)
	must(t, err)
	return held
}

// revision returns the newest one.
func revision(t *testing.T, s *spicedbtest.Server) *authzedv1.ZedToken {
	t.Helper()
	res, err := authzedv1.NewSchemaServiceClient(s.Conn()).ReadSchema(t.Context(), &authzedv1.ReadSchemaRequest{})
	must(t, err)
	return res.GetReadAt()
}

// watch opens a stream of what is written from now on.
func watch(t *testing.T, s *spicedbtest.Server, conn *grpc.ClientConn) authzedv1.WatchService_WatchClient {
	t.Helper()
	stream, err := authzedv1.NewWatchServiceClient(conn).Watch(t.Context(), &authzedv1.WatchRequest{OptionalStartCursor: revision(t, s)})
	must(t, err)
	return stream
}

func dialInProcess(t *testing.T, s *spicedbtest.Server) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///spicedb", s.DialOptions()...)
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close()) })
	return conn
}

func dialTCP(t *testing.T, addr, token string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpcutil.WithInsecureBearerToken(token))
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close()) })
	return conn
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
