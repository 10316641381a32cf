package extauthz

import (
	"context"
	"net/http"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/proxy"
)

// Decider decides whether a request may be sent to Electric. *proxy.Handler is one.
type Decider interface {
	Authorize(ctx context.Context, f proxy.Forwarded) proxy.Verdict
}

const (
	// maxMessage is the largest question, in bytes. Envoy takes 60 KiB of headers by default.
	maxMessage = 256 << 10

	// maxChecks is how many questions are answered at the same time, those included that wait
	// for their subject's turn.
	maxChecks = 2000

	// pings is how often a client may ask whether the connection is alive.
	pings = 10 * time.Second
)

// NewServer returns a gRPC server with the service. The caller serves and stops it.
func NewServer(d Decider, options ...grpc.ServerOption) *grpc.Server {
	return newServer(d, maxChecks, options...)
}

func newServer(d Decider, checks int64, options ...grpc.ServerOption) *grpc.Server {
	s := grpc.NewServer(append(options,
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pings, PermitWithoutStream: true}),
	)...)
	authv3.RegisterAuthorizationServer(s, &service{decider: d, places: semaphore.NewWeighted(checks)})
	return s
}

type service struct {
	authv3.UnimplementedAuthorizationServer
	decider Decider
	places  *semaphore.Weighted
}

// Check implements authv3.AuthorizationServer. Whatever is no verdict is an error, and Envoy
// then sends the request nowhere: see failure_mode_allow.
func (s *service) Check(ctx context.Context, question *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	asked := question.GetAttributes().GetRequest().GetHttp()
	if asked == nil {
		return nil, status.Error(codes.InvalidArgument, "it names no HTTP request")
	}
	if !s.places.TryAcquire(1) {
		return denied(overloaded()), nil
	}
	defer s.places.Release(1)
	v := s.decider.Authorize(ctx, proxy.Forwarded{Method: asked.GetMethod(), URI: asked.GetPath(), Header: headerOf(asked)})
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	if !v.Permits() {
		return denied(v), nil
	}
	return permitted(v), nil
}

// overloaded is the verdict where too many questions are under way.
func overloaded() proxy.Verdict {
	return proxy.Verdict{
		Status: http.StatusServiceUnavailable,
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Cache-Control": {"private, no-store"}, "Retry-After": {"1"}},
		Body:   []byte(`{"error":"unavailable","message":"too many requests are under way"}`),
	}
}
