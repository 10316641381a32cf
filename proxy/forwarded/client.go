// Package forwarded finds out whose request it is that a proxy in front passes on: the
// client's address, by X-Forwarded-For or Forwarded (RFC 7239).
//
// Anybody can write these headers. Each proxy adds the address that it was called from at the
// right end, so only what trusted proxies have added is believed: from the right, as far as
// the addresses are those of trusted proxies. The first other one is the client's.
//
// What must not live here: what the address is for, and the PROXY protocol, which speaks of
// connections and not of requests.
package forwarded

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Header is the header that the proxies in front write. They may pass on another one as a
// client has sent it, so one alone is read.
type Header string

// The headers.
const (
	XForwardedFor Header = "X-Forwarded-For"
	Forwarded     Header = "Forwarded"
)

// Proxies are the addresses of proxies that are trusted to say whom a request is of.
type Proxies []netip.Prefix

// Contain reports whether an address is that of a trusted proxy.
func (p Proxies) Contain(a netip.Addr) bool {
	a = a.Unmap()
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// Client returns the address of the client that a request comes from, given the address that
// the connection comes from. Where all addresses are those of trusted proxies, it is the
// first of them.
//
// The zero address means that it is not known: a trusted proxy has sent a header that is
// malformed, or that hides the address. Then the proxy's own address would be a wrong
// answer, and one that may permit more.
func (p Proxies) Client(peer netip.Addr, h http.Header, from Header) netip.Addr {
	client := peer.Unmap()
	if !p.Contain(client) {
		return client
	}
	lines := h.Values(string(from))
	if len(lines) == 0 {
		return client // the request is of the proxy itself
	}
	hops := newHops(from, lines)
	for {
		hop, more := hops.last()
		if !more {
			return client
		}
		next, ok := parseNode(hop)
		if !ok {
			return netip.Addr{}
		}
		if client = next; !p.Contain(client) {
			return client
		}
	}
}

// parseNode reads an address with or without a port. That of IPv6 may stand in brackets, and
// does so before a port.
func parseNode(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap(), a.Zone() == ""
	}
	host := s
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
			return netip.Addr{}, false
		}
	} else {
		var err error
		if host, _, err = net.SplitHostPort(s); err != nil {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap(), err == nil && a.Zone() == ""
}
