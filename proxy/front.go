package proxy

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/shapegate/shapegate/proxy/forwarded"
)

// Front says what stands between the clients and a Handler.
type Front struct {
	// BasePath is the path that all paths begin with, as in /sync; empty: none. A proxy in
	// front that takes it off leaves nothing to say here but for the path of the session
	// cookie.
	BasePath string

	// Proxies are the proxies that are trusted to say in Header whom a request is from;
	// empty: none. Header may be empty: X-Forwarded-For.
	Proxies forwarded.Proxies
	Header  forwarded.Header
}

// Check reports whether the base path can be one.
func (f Front) Check() error {
	if f.BasePath == "" {
		return nil
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(f.BasePath, "/"), "/") {
		if !strings.HasPrefix(f.BasePath, "/") || segment == "" || segment == "." || segment == ".." || !plainSegment(segment) {
			return errors.New("must be a path as in /sync: a slash before each name, none at the end, and letters, digits and -_~. in names")
		}
	}
	return nil
}

// below returns what is behind the base path of a path with one reading, or noPath.
func (f *Front) below(path string) string {
	rest, ok := strings.CutPrefix(path, f.BasePath)
	switch {
	case ok && rest == "":
		return "/"
	case ok && rest[0] == '/':
		return rest
	}
	return noPath
}

// cookiePath is the path that the session cookie is for.
func (f *Front) cookiePath() string {
	if f.BasePath == "" {
		return "/"
	}
	return f.BasePath
}

// received returns a request as the routes see it: with the one reading of its path, or a
// path that nothing is at, and with the address of its client. The router would clean
// another path, and route it.
func (f *Front) received(r *http.Request) *http.Request {
	path := f.below(onlyReading(r))
	if path == r.URL.Path && len(f.Proxies) == 0 {
		return r
	}
	return f.rewritten(r, path)
}

// rewritten returns a request with another path, and the address of its client. It is no part
// of received, whose stack is there while a request is held.
func (f *Front) rewritten(r *http.Request, path string) *http.Request {
	seen := r.WithContext(r.Context())
	if path != r.URL.Path {
		url := *r.URL
		url.Path, url.RawPath = path, ""
		seen.URL = &url
	}
	if len(f.Proxies) > 0 {
		seen.RemoteAddr = f.client(r)
	}
	return seen
}

// client returns the address of a request's client, in the form of RemoteAddr; empty: it is
// not known.
func (f *Front) client(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	header := f.Header
	if header == "" {
		header = forwarded.XForwardedFor
	}
	client := f.Proxies.Client(peer.Addr(), r.Header, header)
	if !client.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(client, 0).String()
}

// clientIP returns the address that a request comes from; empty: it is not known.
func clientIP(r *http.Request) string {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return ip
}
