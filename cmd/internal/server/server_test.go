package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/server"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type running struct {
	stop context.CancelFunc
	done <-chan error
}

func (r running) end() error {
	r.stop()
	return <-r.done
}

// start runs a gateway whose parts are all away.
func start(t *testing.T, cfg server.Config) running {
	t.Helper()
	shapes, err := schema.Parse("shapes.yaml", []byte(schema.Example))
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte(strings.Repeat("x", 32))
	g, err := gateway.New(gateway.Config{
		Shapes: shapes, Secret: secret, Identity: identity.Config{Secret: secret},
		SpiceDB:  spicedb.Config{Endpoint: "127.0.0.1:1", Token: "x", Insecure: true},
		Electric: electric.Config{URL: "http://127.0.0.1:1"},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, g, cfg) }()
	t.Cleanup(cancel)
	return running{cancel, done}
}

func TestOperatorsAndClientsHaveAnAddressEach(t *testing.T) {
	public, admin := listen(t), listen(t)
	r := start(t, server.Config{Public: public, Admin: admin})
	for url, want := range map[string]int{
		"http://" + public.Addr().String() + "/healthz": http.StatusNotFound,
		"http://" + admin.Addr().String() + "/healthz":  http.StatusOK,
	} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d", url, resp.StatusCode)
		}
	}
	if err := r.end(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// Servers in front of Electric have addresses of their own, at which they are answered and
// clients are not.
func TestServersInFrontHaveAnAddressEach(t *testing.T) {
	forwardAuth, extAuthz := listen(t), listen(t)
	r := start(t, server.Config{Public: listen(t), Admin: listen(t), ForwardAuth: forwardAuth, ExtAuthz: extAuthz})
	for path, want := range map[string]int{
		"/v1/authorize":        http.StatusBadRequest, // it names no request
		"/v1/shapes/documents": http.StatusNotFound,
	} {
		resp, err := http.Get("http://" + forwardAuth.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	conn, err := grpc.NewClient(extAuthz.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answer, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/v1/shapes/documents?offset=-1"}},
	}})
	if err != nil || answer.GetDeniedResponse().GetStatus().GetCode() != http.StatusServiceUnavailable { // SpiceDB is away
		t.Errorf("%v, %v", answer, err)
	}
	if err := r.end(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// A request whose body never comes does not keep the process from ending.
func TestTheEndIsBounded(t *testing.T) {
	public := listen(t)
	r := start(t, server.Config{Public: public, Admin: listen(t), Grace: 10 * time.Millisecond})
	conn, err := net.Dial("tcp", public.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprint(conn, "POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n")
	if err := r.end(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// A listener that fails ends the process, with the error.
func TestAListenerThatFailsEndsTheRun(t *testing.T) {
	public := listen(t)
	_ = public.Close()
	r := start(t, server.Config{Public: public, Admin: listen(t)})
	select {
	case err := <-r.done:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it runs on")
	}
}
