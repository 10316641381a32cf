package electrictest

import "net/http"

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
	h.Set("Connection", "keep-alive")
	w.WriteHeader(http.StatusNoContent)
}
