package lean

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestAnswersAreReadAsTheyWereSent(t *testing.T) {
	long := strings.Repeat("0123456789", 5000)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /length", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Electric-Handle", "1-2~ab")
		w.Header().Set("Electric-Offset", "3_4")
		w.Header().Set("Electric-Up-To-Date", "")
		fmt.Fprint(w, r.URL.RawQuery+" "+r.Header.Get("Authorization"))
	})
	mux.HandleFunc("GET /chunks", func(w http.ResponseWriter, _ *http.Request) {
		for part := range strings.SplitAfterSeq(long, "9") {
			fmt.Fprint(w, part)
			_ = http.NewResponseController(w).Flush()
		}
	})
	mux.HandleFunc("GET /gzip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, long)
		_ = z.Close()
	})
	mux.HandleFunc("GET /nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	server := httptest.NewServer(mux)
	defer server.Close()
	base, err := url.Parse(server.URL + "/?shape=1")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dial(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	var a Answer
	c.Keep = 100
	for _, path := range []string{"/chunks", "/gzip"} {
		at := *base
		at.Path = path
		if err := c.Do(Request("GET", &at, "offset=-1", ""), &a); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if n := len(a.Body); n < 100 || path == "/chunks" && n != c.Keep || !strings.HasPrefix(long, string(a.Body)) {
			t.Errorf("%s: %d bytes are kept of %d: %.50s", path, n, len(long), a.Body)
		}
	}
	c.Keep = 0
	for _, want := range []struct {
		method, path, body, answer string
		status                     int
	}{
		{"GET", "/length", "", "shape=1&offset=-1 Bearer t", 200},
		{"GET", "/chunks", "", long, 200},
		{"GET", "/gzip", "", long, 200},
		{"GET", "/nothing", "", "", 204},
		{"POST", "/echo", `{"where":"x"}`, `{"where":"x"}`, 200},
		{"GET", "/length", "", "shape=1&offset=-1 Bearer t", 200},
	} {
		at := *base
		at.Path = want.path
		if err := c.Do(Request(want.method, &at, "offset=-1", want.body, "Authorization: Bearer t"), &a); err != nil {
			t.Fatalf("%s: %v", want.path, err)
		}
		if a.Status != want.status || string(a.Body) != want.answer {
			t.Errorf("%s: %d, %d bytes: %.50s", want.path, a.Status, len(a.Body), a.Body)
		}
		if a.First.After(a.At) || a.First.IsZero() {
			t.Errorf("%s: first byte at %v, all at %v", want.path, a.First, a.At)
		}
	}
	if a.Handle != "1-2~ab" || a.Offset != "3_4" || !a.UpToDate || a.Closing() {
		t.Errorf("%+v", a)
	}
}
