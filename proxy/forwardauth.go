package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/gin-gonic/gin"
)

// Headers of the answer to a server in front of Electric.
const (
	subjectHeader     = "Shapegate-Subject"
	shapeHeader       = "Shapegate-Shape"
	upstreamURIHeader = "Shapegate-Upstream-Uri"

	// errorHeader repeats the body of a refusal. nginx drops the body of an answer to
	// auth_request, and keeps the headers.
	errorHeader = "Shapegate-Error"
)

// authorizePath is where servers in front of Electric ask.
const authorizePath = "/v1/authorize"

// forwardAuth returns the handler of the requests with which Caddy (forward_auth), nginx
// (auth_request) and Traefik (ForwardAuth) ask. Clients do not reach it.
func (m *middleware) forwardAuth(shapes *shapeServer) http.Handler {
	e := m.newEngine()
	e.GET(authorizePath, m.answer(func(c *gin.Context) error {
		from, err := askedAbout(c.Request)
		if err != nil {
			return repeated(c, err)
		}
		name := shapeNamed(from)
		c.AddParam("name", name) // see shapeOf
		v, err := shapes.decide(from, name)
		if err != nil {
			return repeated(c, err)
		}
		c.Header(subjectHeader, v.Subject)
		c.Header(shapeHeader, v.Shape)
		c.Header(upstreamURIHeader, v.UpstreamURI)
		c.Status(v.Status)
		c.Writer.WriteHeaderNow()
		return nil
	}))
	return e
}

// repeated repeats the body of a refusal in a header, in ASCII.
func repeated(c *gin.Context, err error) error {
	c.Header(errorHeader, asciiJSON(problemOf(err).body()))
	return err
}

// asciiJSON returns an object of strings as JSON that may stand in a header.
func asciiJSON(object map[string]string) string {
	text, _ := json.Marshal(object) //nolint:errchkjson // strings alone
	var b strings.Builder
	for _, r := range string(text) {
		if r < 0x7f { // below ' ' JSON has escapes itself
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// The headers that name the request which is asked about, each under its two names: that of
// Caddy and Traefik, and the one that is usual with nginx.
var (
	originalMethod = [2]string{"X-Forwarded-Method", "X-Original-Method"}
	originalURI    = [2]string{"X-Forwarded-Uri", "X-Original-Uri"}
)

// maxURI is the longest URI that is read, in bytes. Electric takes request lines up to
// 10,000 (recording 09).
const maxURI = 10_000

// askedAbout returns the request that a server in front asks about: the method and the URI
// that it names in headers, and all else as in the request with which it asks.
//
// Whoever can send such a request asks about themselves: the credentials are in the same
// request, and the answer names the query that it is about. So a client that smuggles a URI
// past the server in front gets the verdict on that URI, and the server sends no other to
// Electric.
func askedAbout(asking *http.Request) (*http.Request, error) {
	method, err := onlyValue(asking.Header, originalMethod)
	if err != nil {
		return nil, err
	}
	uri, err := onlyValue(asking.Header, originalURI)
	if err != nil {
		return nil, err
	}
	from := Forwarded{Method: method, URI: uri, Header: asking.Header}
	return from.request(asking.Context())
}

// request returns the request as the proxy's own routes would have got it. The address that
// it came from is not known.
func (f *Forwarded) request(ctx context.Context) (*http.Request, error) {
	if len(f.URI) > maxURI {
		return nil, invalid(uriField, "longer than "+strconv.Itoa(maxURI)+" bytes")
	}
	u, err := url.ParseRequestURI(f.URI)
	if err != nil || f.URI[0] != '/' || strings.ContainsFunc(f.URI, notInURI) {
		return nil, invalid(uriField, "not the path and the query of a request")
	}
	r := &http.Request{Method: f.Method, URL: u, RequestURI: f.URI, Header: f.Header, Body: http.NoBody}
	return r.WithContext(ctx), nil
}

// uriField is the URI in the errors of this package.
const uriField = "x-forwarded-uri"

func notInURI(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }

// onlyValue returns the value of a header that has two names. If several say it, which is
// right cannot be known.
func onlyValue(h http.Header, names [2]string) (string, error) {
	first, second := h.Values(names[0]), h.Values(names[1])
	field := strings.ToLower(names[0])
	switch {
	case len(first) > 1 || len(second) > 1:
		return "", invalid(field, "given more than once")
	case len(first) == 1 && len(second) == 1 && first[0] != second[0]:
		return "", invalid(field, "not the same as "+strings.ToLower(names[1]))
	}
	for _, v := range slices.Concat(first, second) {
		if v != "" {
			return v, nil
		}
	}
	return "", invalid(field, "missing: the server in front has to name the request that it asks about")
}

// shapeNamed returns the name of the shape that a request's path and query name, as the
// routes for clients do; empty if it is no request for a shape.
func shapeNamed(r *http.Request) string {
	path := onlyReading(r)
	if path == tablePath {
		return r.URL.Query().Get("table")
	}
	name, ok := strings.CutPrefix(path, shapesPath)
	if !ok || strings.Contains(name, "/") {
		return ""
	}
	return name
}
