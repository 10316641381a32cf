package spicedbtest

import (
	"context"
	"path"
	"sync"

	"github.com/authzed/spicedb/pkg/cmd/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// calls counts the calls that clients make, by method. Calls on the server's own
// connection carry adminHeader and are not counted.
type calls struct {
	mu       sync.Mutex
	byMethod map[string]int
}

const adminHeader = "spicedbtest-admin"

func newCalls() *calls { return &calls{byMethod: make(map[string]int)} }

func (c *calls) count(ctx context.Context, fullMethod string) {
	if len(metadata.ValueFromIncomingContext(ctx, adminHeader)) > 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byMethod[path.Base(fullMethod)]++
}

func (c *calls) of(method string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byMethod[method]
}

// options has the engine count before anything else sees a call, so that those
// that it refuses count too.
func (c *calls) options() []server.ConfigOption {
	const name = "spicedbtest-calls"
	unary := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		c.count(ctx, info.FullMethod)
		return handler(ctx, req)
	}
	stream := func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		c.count(ss.Context(), info.FullMethod)
		return handler(srv, ss)
	}
	return []server.ConfigOption{
		server.WithUnaryMiddlewareModification(server.MiddlewareModification[grpc.UnaryServerInterceptor]{
			DependencyMiddlewareName: server.DefaultMiddlewareRequestID,
			Operation:                server.OperationPrepend,
			Middlewares: []server.ReferenceableMiddleware[grpc.UnaryServerInterceptor]{
				{Name: name, Middleware: unary},
			},
		}),
		server.WithStreamingMiddlewareModification(server.MiddlewareModification[grpc.StreamServerInterceptor]{
			DependencyMiddlewareName: server.DefaultMiddlewareRequestID,
			Operation:                server.OperationPrepend,
			Middlewares: []server.ReferenceableMiddleware[grpc.StreamServerInterceptor]{
				{Name: name, Middleware: stream},
			},
		}),
	}
}

// asAdmin marks the calls of a connection as the server's own.
func asAdmin() []grpc.DialOption {
	mark := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, adminHeader, "1")
	}
	return []grpc.DialOption{
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return invoker(mark(ctx), method, req, reply, cc, opts...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return streamer(mark(ctx), desc, cc, method, opts...)
		}),
	}
}
