package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestThePageIsServedAndTheRestIsPassedOn(t *testing.T) {
	h := Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	page := get("/")
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), `<div id="root">`) {
		t.Fatalf("%d %s", page.Code, page.Body)
	}
	if page.Header().Get("Content-Security-Policy") == "" || page.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("%v", page.Header())
	}
	_, rest, _ := strings.Cut(page.Body.String(), `src="/assets/`)
	script, _, _ := strings.Cut(rest, `"`)
	got := get("/assets/" + script)
	if got.Code != http.StatusOK || !strings.Contains(got.Header().Get("Cache-Control"), "immutable") ||
		!strings.Contains(got.Header().Get("Content-Type"), "javascript") {
		t.Errorf("%s: %d %v", script, got.Code, got.Header())
	}
	for _, path := range []string{"/v1/shapes/documents", "/demo/people", "/nothing", "/assets", "/assets/", "//v1"} {
		if got := get(path); got.Code != http.StatusTeapot {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}
