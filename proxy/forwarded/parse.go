package forwarded

import (
	"errors"
	"net/netip"
	"strings"
)

// ParseProxies reads addresses and networks that are separated by commas, as in
// 10.0.0.0/8, 2001:db8::1. Errors do not repeat them.
func ParseProxies(list string) (Proxies, error) {
	var all Proxies
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		prefix, err := parsePrefix(one)
		if err != nil {
			return nil, errors.New("must be addresses and networks that are separated by commas, as in 10.0.0.0/8,2001:db8::1")
		}
		if prefix.Bits() == 0 {
			return nil, errors.New("trusts every address: each client could then say who it is")
		}
		all = append(all, prefix)
	}
	return all, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, errors.New("not an address")
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("not a network")
	}
	return p.Masked(), nil
}

// ParseHeader reads the name of a header.
func ParseHeader(name string) (Header, error) {
	for _, h := range []Header{XForwardedFor, Forwarded} {
		if strings.EqualFold(name, string(h)) {
			return h, nil
		}
	}
	return "", errors.New("must be X-Forwarded-For or Forwarded")
}
