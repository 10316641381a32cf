package spicedb

import (
	"context"
	"net"
	"testing"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// watchServer answers a watch with an error, or not at all.
type watchServer struct {
	authzedv1.UnimplementedSchemaServiceServer
	authzedv1.WatchServiceServer
	err error
}

func (watchServer) ReflectSchema(context.Context, *authzedv1.ReflectSchemaRequest) (*authzedv1.ReflectSchemaResponse, error) {
	return &authzedv1.ReflectSchemaResponse{ReadAt: &authzedv1.ZedToken{Token: "now"}}, nil
}

func (s watchServer) Watch(_ *authzedv1.WatchRequest, stream grpc.ServerStreamingServer[authzedv1.WatchResponse]) error {
	if s.err == nil {
		<-stream.Context().Done()
	}
	return s.err
}

func TestWatchRefusal(t *testing.T) {
	// The texts are those of SpiceDB 1.56, of its datastore and of its server.
	const words = "postgres must be run with track_commit_timestamp=on for watch to be enabled. See https://spicedb.dev/d/enable-watch-api-postgres"
	const none = "unknown service authzed.api.v1.WatchService"
	for name, test := range map[string]struct {
		err     error
		want    string
		isError bool
	}{
		"it goes on":             {nil, "", false},
		"without timestamps":     {status.Error(codes.FailedPrecondition, words), words, false},
		"without the service":    {status.Error(codes.Unimplemented, none), none, false},
		"it is away":             {status.Error(codes.Unavailable, "restarting"), "", true},
		"the key is another one": {status.Error(codes.Unauthenticated, "who?"), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			listener := bufconn.Listen(1 << 16)
			server := grpc.NewServer()
			authzedv1.RegisterSchemaServiceServer(server, watchServer{})
			authzedv1.RegisterWatchServiceServer(server, watchServer{err: test.err})
			go func() { _ = server.Serve(listener) }()
			t.Cleanup(server.Stop)
			client := dial(t, Config{
				Endpoint: "spicedb", Token: "key", Insecure: true,
				Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) },
			})
			got, err := client.WatchRefusal(t.Context())
			if got != test.want || (err != nil) != test.isError {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
