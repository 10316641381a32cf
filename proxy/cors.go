package proxy

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// cors answers the questions of browsers about other origins (the Fetch
// standard's CORS protocol).
type cors struct {
	any     bool
	origins []string
}

// exposedHeaders are the headers that a page's script may read. Without them the
// client library refuses an answer.
var exposedHeaders = strings.Join([]string{
	"Electric-Cursor", "Electric-Handle", "Electric-Has-Data", "Electric-Offset",
	"Electric-Schema", "Electric-Snapshot", "Electric-Up-To-Date", "Retry-After", "WWW-Authenticate",
}, ", ")

const (
	allowedMethods = "GET, POST, DELETE, OPTIONS"
	allowedHeaders = "Authorization, Content-Type, Accept, Cache-Control, If-None-Match, Shapegate-At-Least-As-Fresh"
	preflightAge   = "86400"
)

// newCORS reads the list of origins that may call: none, some, or "*" for any.
func newCORS(origins []string) (cors, error) {
	if slices.Equal(origins, []string{"*"}) {
		return cors{any: true}, nil
	}
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Scheme == "" || o != u.Scheme+"://"+u.Host {
			return cors{}, errors.New(`a CORS origin is "*" or of the form scheme://host[:port]`)
		}
	}
	return cors{origins: origins}, nil
}

// write sets the headers that every answer carries. Cookies are offered to the
// origins that were named, never to any that asks.
func (c cors) write(h http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	switch {
	case origin == "":
		return
	case c.any:
		h.Set("Access-Control-Allow-Origin", "*")
	case slices.Contains(c.origins, origin):
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	default:
		return
	}
	h.Set("Access-Control-Expose-Headers", exposedHeaders)
}

// preflight answers OPTIONS, after write.
func (c cors) preflight(w http.ResponseWriter) {
	h := w.Header()
	if h.Get("Access-Control-Allow-Origin") != "" {
		h.Set("Access-Control-Allow-Methods", allowedMethods)
		h.Set("Access-Control-Allow-Headers", allowedHeaders)
		h.Set("Access-Control-Max-Age", preflightAge)
	}
	h.Set("Allow", allowedMethods)
	w.WriteHeader(http.StatusNoContent)
}
