package electrictest

import (
	"fmt"
	"net/http"
)

// exchange is one request to /v1/shape and the way to answer it. Its methods are the
// answers that carry nothing of a log.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	cursor string // the query's
}

var mustRefetch = []byte(`[{"headers":{"control":"must-refetch"}}]`)

// invalid answers 400 with the errors of each field.
func (x *exchange) invalid(errs fieldErrors) {
	x.fail(http.StatusBadRequest, map[string]any{"message": "Invalid request", "errors": errs})
}

// unavailable answers 503.
func (x *exchange) unavailable() {
	x.w.Header().Set("Retry-After", "10")
	x.fail(http.StatusServiceUnavailable, map[string]string{"message": "the server is shutting down"})
}

func (x *exchange) fail(status int, body any) {
	h := x.w.Header()
	if x.r.Method == http.MethodPost {
		h.Set("Cache-Control", "no-cache")
	} else {
		h.Set("Cache-Control", "no-store")
		h.Set("Surrogate-Control", "no-store")
	}
	writeJSON(x.w, status, body)
}

// refetch answers 409. The handle to go on with is empty where it is not known.
func (x *exchange) refetch(handle string) {
	h := x.w.Header()
	age := 1
	if handle != "" {
		age = 60
		h.Set("Etag", `"`+handle+`::"`)
		h.Set("Electric-Handle", handle)
	}
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d, must-revalidate", age))
	if x.r.Method == http.MethodPost {
		h.Set("Cache-Control", "no-cache")
	}
	writeBody(x.w, http.StatusConflict, mustRefetch)
}
