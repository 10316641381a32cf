package extauthz

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/proxy"
)

// deciding is a Decider in one function.
type deciding func(ctx context.Context, f proxy.Forwarded) proxy.Verdict

func (d deciding) Authorize(ctx context.Context, f proxy.Forwarded) proxy.Verdict { return d(ctx, f) }

// dial serves a decider, and returns a client of it and the server.
func dial(t *testing.T, d Decider, checks int64) (authv3.AuthorizationClient, *grpc.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(d, checks)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return authv3.NewAuthorizationClient(conn), s
}

func question(http *authv3.AttributeContext_HttpRequest) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: http}}}
}

var permit = proxy.Verdict{Subject: "user:alice", Shape: "tasks", UpstreamURI: "/v1/shape?table=tasks&offset=-1", Status: http.StatusNoContent}

func TestThePathOfAPermittedRequestIsReplaced(t *testing.T) {
	client, _ := dial(t, deciding(func(context.Context, proxy.Forwarded) proxy.Verdict { return permit }), 1)
	response, err := client.Check(t.Context(), question(&authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/v1/shapes/tasks?offset=-1"}))
	if err != nil {
		t.Fatal(err)
	}
	ok := response.GetOkResponse()
	if ok == nil || codes.Code(response.GetStatus().GetCode()) != codes.OK {
		t.Fatalf("got %v", response)
	}
	headers := map[string]string{}
	for _, h := range ok.GetHeaders() {
		headers[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
		if h.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Errorf("%s does not replace what there is", h.GetHeader().GetKey())
		}
	}
	want := map[string]string{":path": permit.UpstreamURI, "shapegate-subject": "user:alice", "shapegate-shape": "tasks"}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"authorization", "cookie"}, ok.GetHeadersToRemove()); diff != "" {
		t.Errorf("removed (-want +got)\n%s", diff)
	}
}

func TestARefusalIsTheAnswerToTheClient(t *testing.T) {
	for verdict, code := range map[int]codes.Code{400: codes.PermissionDenied, 401: codes.Unauthenticated, 403: codes.PermissionDenied, 429: codes.ResourceExhausted, 503: codes.Unavailable} {
		refusal := proxy.Verdict{
			Status: verdict, Body: []byte(`{"error":"x"}`),
			Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {"1"}, "Cache-Control": {"private, no-store"}},
		}
		client, _ := dial(t, deciding(func(context.Context, proxy.Forwarded) proxy.Verdict { return refusal }), 1)
		response, err := client.Check(t.Context(), question(&authv3.AttributeContext_HttpRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		denied := response.GetDeniedResponse()
		if codes.Code(response.GetStatus().GetCode()) != code || int(denied.GetStatus().GetCode()) != verdict || denied.GetBody() != `{"error":"x"}` {
			t.Errorf("%d: %v", verdict, response)
		}
		var headers []string
		for _, h := range denied.GetHeaders() {
			headers = append(headers, h.GetHeader().GetKey()+": "+h.GetHeader().GetValue())
		}
		if diff := cmp.Diff([]string{"cache-control: private, no-store", "content-type: application/json", "retry-after: 1"}, headers); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestTheRequestIsReadAsEnvoySendsIt(t *testing.T) {
	asked := make(chan proxy.Forwarded, 1)
	client, _ := dial(t, deciding(func(_ context.Context, f proxy.Forwarded) proxy.Verdict { asked <- f; return permit }), 1)
	for name, tt := range map[string]struct {
		http *authv3.AttributeContext_HttpRequest
		want proxy.Forwarded
	}{
		"as a map": {
			&authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/a?b=%2F", Headers: map[string]string{":path": "/other", "authorization": "Bearer x", "cookie": "a=b"}},
			proxy.Forwarded{Method: "GET", URI: "/a?b=%2F", Header: http.Header{"Authorization": {"Bearer x"}, "Cookie": {"a=b"}}},
		},
		"as a list": {
			&authv3.AttributeContext_HttpRequest{Method: "POST", Path: "/a", HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
				{Key: ":method", RawValue: []byte("GET")}, {Key: "authorization", RawValue: []byte("Bearer x")}, {Key: "authorization", Value: "Bearer y"},
			}}},
			proxy.Forwarded{Method: "POST", URI: "/a", Header: http.Header{"Authorization": {"Bearer x", "Bearer y"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := client.Check(t.Context(), question(tt.http)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, <-asked); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Envoy asks for other protocols, too.
func TestAQuestionWithoutAnHTTPRequestHasNoVerdict(t *testing.T) {
	client, _ := dial(t, deciding(func(context.Context, proxy.Forwarded) proxy.Verdict { return permit }), 1)
	if _, err := client.Check(t.Context(), &authv3.CheckRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("got %v", err)
	}
}

func TestALongQuestionIsRefused(t *testing.T) {
	client, _ := dial(t, deciding(func(context.Context, proxy.Forwarded) proxy.Verdict { return permit }), 1)
	if _, err := client.Check(t.Context(), question(&authv3.AttributeContext_HttpRequest{Path: strings.Repeat("x", maxMessage)})); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
}

// held is a decider whose verdicts wait for release, or for the end of the question.
type held struct{ asked, release chan struct{} }

func newHeld() *held { return &held{make(chan struct{}, 10), make(chan struct{})} }

func (h *held) Authorize(ctx context.Context, _ proxy.Forwarded) proxy.Verdict {
	h.asked <- struct{}{}
	select {
	case <-h.release:
		return permit
	case <-ctx.Done():
		return proxy.Verdict{Status: http.StatusServiceUnavailable}
	}
}

func TestQuestionsAtTheSameTimeAreBounded(t *testing.T) {
	h := newHeld()
	client, _ := dial(t, h, 1)
	first := make(chan error, 1)
	go func() {
		_, err := client.Check(t.Context(), question(&authv3.AttributeContext_HttpRequest{}))
		first <- err
	}()
	<-h.asked
	response, err := client.Check(t.Context(), question(&authv3.AttributeContext_HttpRequest{}))
	if err != nil || response.GetDeniedResponse().GetStatus().GetCode() != http.StatusServiceUnavailable {
		t.Errorf("the second got %v, %v", response, err)
	}
	close(h.release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// A question that Envoy gives up is given up here.
func TestAQuestionEndsWithItsCaller(t *testing.T) {
	h := newHeld()
	client, _ := dial(t, h, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := client.Check(ctx, question(&authv3.AttributeContext_HttpRequest{}))
		done <- err
	}()
	<-h.asked
	cancel()
	if err := <-done; status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
	// Its place is free again: the next one gets to the decider.
	close(h.release)
	for end := time.Now().Add(10 * time.Second); ; {
		response, err := client.Check(t.Context(), question(&authv3.AttributeContext_HttpRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		if response.GetOkResponse() != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("its place is not free")
		}
	}
}

func TestAStopLetsQuestionsEnd(t *testing.T) {
	h := newHeld()
	client, server := dial(t, h, 1)
	done := make(chan error, 1)
	go func() {
		_, err := client.Check(t.Context(), question(&authv3.AttributeContext_HttpRequest{}))
		done <- err
	}()
	<-h.asked
	stopped := make(chan struct{})
	go func() { server.GracefulStop(); close(stopped) }()
	close(h.release)
	if err := <-done; err != nil {
		t.Errorf("got %v", err)
	}
	<-stopped
}
