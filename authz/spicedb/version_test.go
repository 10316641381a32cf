package spicedb

import (
	"context"
	"net"
	"testing"

	"github.com/authzed/authzed-go/pkg/requestmeta"
	"github.com/authzed/authzed-go/pkg/responsemeta"
	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// versionServer answers as a SpiceDB of a version does.
type versionServer struct {
	authzedv1.UnimplementedSchemaServiceServer
	version string
	err     error
}

func (s versionServer) ReflectSchema(ctx context.Context, _ *authzedv1.ReflectSchemaRequest) (*authzedv1.ReflectSchemaResponse, error) {
	asked, _ := metadata.FromIncomingContext(ctx)
	if len(asked.Get(string(requestmeta.RequestServerVersion))) > 0 && s.version != "" {
		if err := grpc.SetTrailer(ctx, metadata.Pairs(string(responsemeta.ServerVersion), s.version)); err != nil {
			return nil, err
		}
	}
	return &authzedv1.ReflectSchemaResponse{}, s.err
}

func (s versionServer) start(t *testing.T) *Client {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	authzedv1.RegisterSchemaServiceServer(server, s)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return dial(t, Config{
		Endpoint: "spicedb", Token: "key", Insecure: true,
		Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) },
	})
}

func TestServerVersion(t *testing.T) {
	for name, test := range map[string]struct {
		server versionServer
		want   string
	}{
		"one that says it":       {versionServer{version: "v1.50.0"}, "v1.50.0"},
		"one that does not":      {versionServer{}, ""},
		"one that has no schema": {versionServer{version: "v1.56.2", err: status.Error(codes.NotFound, "no schema")}, "v1.56.2"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.server.start(t).ServerVersion(t.Context())
			must(t, err)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if _, err := (versionServer{err: status.Error(codes.Unauthenticated, "no")}).start(t).ServerVersion(t.Context()); err == nil {
		t.Error("no answer, and no error")
	}
}

func TestIsOld(t *testing.T) {
	for version, want := range map[string]bool{
		"v1.51.0": true, "1.50.9": true, "v1.9.0": true, "v0.99.99": true, "v1.51.1-rc1": true,
		"v1.51.1": false, "v1.51.2": false, "v1.52.0-rc1": false, "v1.100.0": false, "v2.0.0": false,
		"": false, "(devel)": false, "main-abcdef": false,
	} {
		if got := IsOld(version, SafeVersion); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
