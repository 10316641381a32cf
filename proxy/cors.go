package proxy

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/rs/cors"
)

// exposedHeaders are the headers that a page's script may read. Without them the
// client library refuses an answer.
var exposedHeaders = []string{
	"Electric-Cursor", "Electric-Handle", "Electric-Has-Data", "Electric-Offset",
	"Electric-Schema", "Electric-Snapshot", "Electric-Up-To-Date", "Retry-After", "WWW-Authenticate",
}

// newCORS answers browsers about other origins (the Fetch standard's CORS
// protocol), given the list of origins that may call: none, some, or "*" for any.
// Cookies are offered to the origins that were named, never to any that asks.
//
// A page of an allowed origin may send any header: a client's own (of tracing, say)
// must not make every request fail, and none but those that are read has a meaning.
func newCORS(origins []string) (*cors.Cors, error) {
	options := cors.Options{
		AllowedMethods:   []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete},
		AllowedHeaders:   []string{"*"},
		ExposedHeaders:   exposedHeaders,
		AllowCredentials: true,
		MaxAge:           86400,
	}
	if slices.Equal(origins, []string{"*"}) {
		options.AllowedOrigins, options.AllowCredentials = origins, false
		return cors.New(options), nil
	}
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Scheme == "" || o != u.Scheme+"://"+u.Host {
			return nil, errors.New(`a CORS origin is "*" or of the form scheme://host[:port]`)
		}
	}
	// Not a list: the package takes an empty one for all origins, and a * in one for
	// a pattern.
	options.AllowOriginFunc = func(origin string) bool { return slices.Contains(origins, origin) }
	return cors.New(options), nil
}
