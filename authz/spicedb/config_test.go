package spicedb

import (
	"testing"

	"google.golang.org/grpc/resolver"

	"github.com/shapegate/shapegate/authz"
)

// probe is a resolver that notes whether it may look for a service config.
type probe struct{ disabled chan bool }

func (p probe) Scheme() string { return "probe" }

func (p probe) Build(_ resolver.Target, _ resolver.ClientConn, o resolver.BuildOptions) (resolver.Resolver, error) {
	p.disabled <- o.DisableServiceConfig
	return p, nil
}

func (probe) ResolveNow(resolver.ResolveNowOptions) {}
func (probe) Close()                                {}

// Where DNS does not answer, the question for a service config alone takes 8 s.
func TestNoResolverIsAskedForAServiceConfig(t *testing.T) {
	p := probe{make(chan bool, 1)}
	resolver.Register(p)
	c := dial(t, Config{Endpoint: "probe:///spicedb", Token: "x", Insecure: true, Timeout: 1})
	wantKind(t, c.Ready(t.Context()), authz.Unavailable)
	if !<-p.disabled {
		t.Error("it is")
	}
}
