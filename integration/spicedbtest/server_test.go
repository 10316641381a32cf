package spicedbtest_test

import (
	"context"
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
	conn, err := grpc.NewClient("passthrough:///spicedb", s.DialOptions()...)
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close()) })
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
