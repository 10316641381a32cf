package server

import (
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"

	"github.com/shapegate/shapegate/proxy/forwarded"
)

// withProxyProtocol has connections of trusted proxies begin with a header of the PROXY
// protocol, which says whose connection it is. One without the header is closed, and so is
// one whose header does not come within headerTime. Of other peers a connection is what it
// is: a header there is no request of HTTP.
func withProxyProtocol(l net.Listener, proxies forwarded.Proxies) net.Listener {
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: headerTime,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			peer, err := netip.ParseAddrPort(o.Upstream.String())
			if err != nil || !proxies.Contain(peer.Addr()) {
				return proxyproto.SKIP, nil //nolint:nilerr // a peer without an address is not trusted
			}
			return proxyproto.REQUIRE, nil
		},
	}
}
