package backend

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
)

// request is an HTTP request, and who sends it.
type request struct {
	*http.Request
	person string // "" before sign-in
}

// problem is an error that is told to the person. Its JSON is as shapegate's own.
type problem struct {
	status  int
	Code    string `json:"error"`
	Message string `json:"message"`
}

func (p *problem) Error() string { return p.Message }

func invalid(message string) error {
	return &problem{http.StatusBadRequest, "bad_request", message}
}

func forbidden(message string) error {
	return &problem{http.StatusForbidden, "forbidden", message}
}

// problemOf says what a person is told of an error. What is not foreseen is not told.
func problemOf(err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, ErrNoRow):
		return &problem{http.StatusNotFound, "not_found", err.Error()}
	case errors.Is(err, ErrTaken), errors.Is(err, ErrMoved):
		return &problem{http.StatusConflict, "conflict", err.Error()}
	case errors.Is(err, spicedb.ErrPrecondition):
		return &problem{http.StatusConflict, "conflict", "this has changed meanwhile: try again"}
	case authz.KindOf(err) == authz.Unauthenticated:
		return &problem{http.StatusUnauthorized, "unauthenticated", "no credentials that hold"}
	case authz.KindOf(err) == authz.Unavailable:
		return &problem{http.StatusServiceUnavailable, "unavailable", "SpiceDB or Redis is away: try again"}
	default:
		return &problem{http.StatusInternalServerError, "internal", "this did not work: the log says why"}
	}
}

// maxBody is ample for a document.
const maxBody = 64 << 10

// handler serves one kind of request. What it returns is sent as JSON.
type handler func(context.Context, request) (any, error)

// answer makes an http.Handler of a handler. Errors that are not foreseen are logged.
func (do handler) answer(log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		body, err := do(r.Context(), request{Request: r})
		status := http.StatusOK
		if c, ok := body.(change); ok && c.Pending {
			status = http.StatusAccepted
		}
		if err != nil {
			p := problemOf(err)
			if status = p.status; status >= http.StatusInternalServerError {
				log.Warn("a request of the demo failed", "path", r.URL.Path, "cause", err)
			}
			if status == http.StatusServiceUnavailable {
				w.Header().Set("Retry-After", "1")
			}
			body = p
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

// signedIn finds out who sends a request, before it is served.
func (do handler) signedIn(identify func(*http.Request) (string, error)) handler {
	return func(ctx context.Context, r request) (_ any, err error) {
		if r.person, err = identify(r.Request); err != nil {
			return nil, err
		}
		return do(ctx, r)
	}
}

// decode reads a request's JSON.
func decode(r request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalid("the body is not the JSON that is expected here")
	}
	return nil
}
