package proxy

import (
	"net/http"
	"strings"
)

// noPath is a path that nothing is at.
const noPath = "/-"

// onlyReading returns the path of a request, or noPath where it has two readings.
// One slash at its end is no part of it: applications put it there, and it names the
// same resource to every server.
func onlyReading(r *http.Request) string {
	if !hasOneReading(r) {
		return noPath
	}
	if p := strings.TrimSuffix(r.URL.Path, "/"); p != "" {
		return p
	}
	return r.URL.Path
}

// hasOneReading reports whether a request's path can only be read as it is
// written: no encoded characters, no empty, "." or ".." segment, nothing that a
// server in front or behind might fold into another path. Whatever else it names
// is not found.
func hasOneReading(r *http.Request) bool {
	p := r.URL.Path
	if r.URL.RawPath != "" || encodedPath(r.RequestURI) || !strings.HasPrefix(p, "/") {
		return false
	}
	if p == "/" {
		return true
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(p[1:], "/"), "/") {
		if segment == "" || segment == "." || segment == ".." || !plainSegment(segment) {
			return false
		}
	}
	return true
}

// encodedPath reports whether the path of a request line has an escape in it.
func encodedPath(requestURI string) bool {
	path, _, _ := strings.Cut(requestURI, "?")
	return strings.Contains(path, "%")
}

// plainSegment reports whether a segment consists of characters that mean
// themselves in a path (RFC 3986, unreserved).
func plainSegment(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_~.", c) >= 0) {
			return false
		}
	}
	return true
}
