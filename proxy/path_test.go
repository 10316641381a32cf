package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

func TestOnlyPathsWithOneReadingAreServed(t *testing.T) {
	for _, target := range []string{"/", "/v1/shape", "/v1/shape/", "/v1/shapes/documents", "/v1/shapes/a-b_c.d", "/v1/shape?table=a%2Fb", "/v1/shape?x=../.."} {
		if !hasOneReading(httptest.NewRequest(http.MethodGet, target, nil)) {
			t.Errorf("%s is not served", target)
		}
	}
	for _, target := range []string{
		"/v1//shape", "/v1/shape//", "//", "//v1/shape", "/v1/./shape", "/v1/shapes/../shape", "/v1/%73hape", "/v1%2Fshape",
		"/v1/shapes/documents%00", "/v1/shapes/a%2e%2e", "/v1/shapes/a;b", "/v1/shapes/a%20b", "/v1/shapes/%C3%A4",
		"/v1/shapes/..", "/v1/shapes/a\\b",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		u, err := url.ParseRequestURI(target)
		if err != nil {
			continue
		}
		r.URL, r.RequestURI = u, target
		if hasOneReading(r) {
			t.Errorf("%s is served", target)
		}
	}
}
