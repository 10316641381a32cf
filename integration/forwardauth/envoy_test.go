package forwardauth_test

import (
	"net"
	"net/http"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/goccy/go-yaml"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/shapegate/shapegate/integration/forwardauth"
)

// Envoy cannot be installed here. Its own messages read the file, with every extension in it,
// and their rules hold.
func TestEnvoysFileIsABootstrapOfEnvoys(t *testing.T) {
	text, err := forwardauth.Files.ReadFile("envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var bootstrap bootstrapv3.Bootstrap
	if err := protojson.Unmarshal(text, &bootstrap); err != nil {
		t.Fatal(err)
	}
	extensions, closed := 0, false
	err = protorange.Range(bootstrap.ProtoReflect(), func(p protopath.Values) error {
		m, ok := p.Index(-1).Value.Interface().(protoreflect.Message)
		if !ok {
			return nil
		}
		if p.Index(-1).Step.Kind() == protopath.AnyExpandStep {
			extensions++
		}
		if authz, ok := m.Interface().(*extauthzv3.ExtAuthz); ok {
			closed = !authz.GetFailureModeAllow() && authz.GetWithRequestBody() == nil
		}
		if v, ok := m.Interface().(interface{ ValidateAll() error }); ok {
			return v.ValidateAll()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if extensions < 7 {
		t.Errorf("%d extensions were read", extensions)
	}
	if !closed {
		t.Error("a request passes where shapegate does not answer")
	}
}

// What Envoy is told to send is what Electric answers, and what it is told to answer is what
// shapegate would.
func TestEnvoyIsToldWhatTheOthersAreTold(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.check(err)
	server := w.gateway.ExtAuthz()
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	w.check(err)
	t.Cleanup(func() { _ = conn.Close() })
	check := func(person, method, path string) *authv3.CheckResponse {
		t.Helper()
		r, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: method, Path: path, Headers: map[string]string{":path": path, "authorization": w.bearer(person)},
			}},
		}})
		w.check(err)
		return r
	}
	const uri = "/v1/shapes/project_documents?project=comet&offset=-1"
	path := check("alice", "GET", uri).GetOkResponse().GetHeaders()[0].GetHeader()
	if path.GetKey() != ":path" {
		t.Fatalf("the first header is %v", path)
	}
	got := w.send("http://"+w.places.Electric, w.get("", path.GetValue()+"&secret="+electricSecret))
	if rows := got.rows(t); got.status != http.StatusOK || len(rows) != 2 {
		t.Errorf("Electric answers %d with %v", got.status, rows)
	}
	w.checkAsked("")
	for _, tt := range []struct {
		person, method, uri string
		status              int
		problem             string
	}{
		{"bob", "GET", uri, 403, "forbidden"},
		{"alice", "POST", uri, 403, "needs_proxy method"},
		{"alice", "GET", uri + "&table=salaries&table=x", 400, "bad_request table"},
		{"alice", "GET", "/v1//shapes/project_documents?project=comet&offset=-1", 400, "bad_request x-forwarded-uri"},
	} {
		denied := check(tt.person, tt.method, tt.uri).GetDeniedResponse()
		a := answer{status: int(denied.GetStatus().GetCode()), body: denied.GetBody()}
		if a.status != tt.status || a.problem(t) != tt.problem {
			t.Errorf("%s %s: %d %s", tt.method, tt.uri, a.status, a.body)
		}
	}
}
