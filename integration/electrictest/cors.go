package electrictest

import (
	"net/http"
	"strings"
)

const exposed = "electric-cursor,electric-handle,electric-has-data,electric-offset,electric-schema," +
	"electric-up-to-date,electric-internal-known-error,retry-after"

func cors(h http.Header, r *http.Request, methods string) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", exposed)
	h.Set("Access-Control-Allow-Methods", methods)
}

const shapeMethods = "GET, POST, HEAD, DELETE, OPTIONS"

func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	cors(h, r, shapeMethods)
	h.Set("Access-Control-Max-Age", "86400")
	var allowed []string
	for _, name := range r.Header.Values("Access-Control-Request-Headers") {
		if lower := strings.ToLower(name); lower == "if-none-match" || lower == "traceparent" {
			allowed = append(allowed, name)
		}
	}
	if allowed != nil {
		h.Set("Access-Control-Allow-Headers", strings.Join(allowed, ","))
	}
	h.Set("Connection", "keep-alive")
	w.WriteHeader(http.StatusNoContent)
}
