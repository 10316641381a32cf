package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
)

// kind is what sort of answer a failure gets. It is the error member of the JSON
// body, and maps to one status, in statuses.
type kind string

const (
	badRequest         kind = "bad_request"
	unauthenticated    kind = "unauthenticated"
	forbidden          kind = "forbidden"
	unanswerable       kind = "permission_unanswerable"
	notFound           kind = "not_found"
	methodNotAllowed   kind = "method_not_allowed"
	needsProxy         kind = "needs_proxy"
	tooLarge           kind = "too_large"
	unprocessable      kind = "unprocessable"
	tooMany            kind = "too_many_requests"
	internal           kind = "internal"
	badUpstream        kind = "bad_upstream"
	shapeMisconfigured kind = "shape_misconfigured"
	unavailable        kind = "unavailable"
)

var statuses = map[kind]int{
	badRequest:         http.StatusBadRequest,
	unauthenticated:    http.StatusUnauthorized,
	forbidden:          http.StatusForbidden,
	unanswerable:       http.StatusForbidden,
	needsProxy:         http.StatusForbidden,
	notFound:           http.StatusNotFound,
	methodNotAllowed:   http.StatusMethodNotAllowed,
	tooLarge:           http.StatusRequestEntityTooLarge,
	unprocessable:      http.StatusUnprocessableEntity,
	tooMany:            http.StatusTooManyRequests,
	internal:           http.StatusInternalServerError,
	badUpstream:        http.StatusBadGateway,
	shapeMisconfigured: http.StatusBadGateway,
	unavailable:        http.StatusServiceUnavailable,
}

// problem is a failure as the client sees it. Its message is written here
// or in proxy/subset, for clients: it quotes no cause. The cause is for the log.
type problem struct {
	kind       kind
	message    string
	field      string
	retryAfter time.Duration
	cause      error
}

func (p *problem) Error() string {
	if p.cause == nil {
		return fmt.Sprintf("%s: %s", p.kind, p.message)
	}
	return fmt.Sprintf("%s: %s: %v", p.kind, p.message, p.cause)
}

func (p *problem) Unwrap() error { return p.cause }

func (p *problem) status() int { return statuses[p.kind] }

// body is what the client receives.
func (p *problem) body() map[string]string {
	b := map[string]string{"error": string(p.kind), "message": p.message}
	if p.field != "" {
		b["field"] = p.field
	}
	return b
}

// setHeader sets the headers that belong to the problem.
func (p *problem) setHeader(head http.Header) {
	switch p.kind {
	case unauthenticated:
		head.Set("WWW-Authenticate", `Bearer realm="shapegate"`)
	case unavailable, tooMany:
		head.Set("Retry-After", p.retryHeader())
	}
}

func invalid(field, message string) *problem {
	return &problem{kind: badRequest, field: field, message: message}
}

// retryFeed is how long it may take until a feed without readers ends.
const retryFeed = 30 * time.Second

// defaultRetry is how long a client is asked to wait by default.
const defaultRetry = time.Second

func (p *problem) retryHeader() string {
	d := p.retryAfter
	if d <= 0 {
		d = defaultRetry
	}
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// problemOf turns any error into an answer to the client. It is the one place
// that knows which failure gets which answer.
func problemOf(err error) *problem {
	var (
		p       *problem
		sub     *subset.Error
		tooBig  *http.MaxBytesError
		away    *electric.UnavailableError
		broken  *electric.ProtocolError
		authErr *authz.Error
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &sub):
		return invalid(sub.Field, sub.Message)
	case errors.Is(err, feed.ErrTooManyForSubject):
		return &problem{kind: tooMany, message: "you read too many different logs at once", retryAfter: spread(retryFeed), cause: err}
	case errors.Is(err, feed.ErrTooMany):
		return &problem{kind: unavailable, message: "too many different logs are read", retryAfter: spread(retryFeed), cause: err}
	case errors.As(err, &tooBig):
		return &problem{kind: tooLarge, message: fmt.Sprintf("the body is over %d bytes", tooBig.Limit), field: "body"}
	case isMisconfigured(err):
		return &problem{kind: shapeMisconfigured, message: "the shape's definition does not fit its table: its operator has to mend it", cause: err}
	case errors.As(err, &away):
		return awayProblem(away)
	case errors.As(err, &broken):
		return &problem{kind: badUpstream, message: "the sync service sent an answer that cannot be used", cause: err}
	case errors.Is(err, electric.ErrMustRefetch):
		// Of a read that named no handle: the shape went away while it was asked for.
		return &problem{kind: unavailable, message: "the sync service is building the shape anew", cause: err}
	case errors.Is(err, electric.ErrRefused), errors.Is(err, electric.ErrTooLarge):
		return &problem{kind: badUpstream, message: "the sync service refused the shape", cause: err}
	case errors.As(err, &authErr):
		return authProblem(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &problem{kind: unavailable, message: "no answer in time", cause: err}
	default:
		return &problem{kind: internal, message: "internal error", cause: err}
	}
}

func awayProblem(err *electric.UnavailableError) *problem {
	k := unavailable
	if err.Status == http.StatusTooManyRequests {
		k = tooMany
	}
	return &problem{kind: k, message: "the sync service is not available", retryAfter: err.RetryAfter, cause: err}
}

func authProblem(err error) *problem {
	switch authz.KindOf(err) {
	case authz.Unauthenticated:
		return &problem{kind: unauthenticated, message: "the credentials are missing or not valid", cause: err}
	case authz.Denied:
		return &problem{kind: forbidden, message: "not permitted", cause: err}
	case authz.Unanswerable:
		return &problem{kind: unanswerable, message: "your permission cannot be evaluated", cause: err}
	case authz.Invalid:
		if errors.Is(err, authz.ErrFreshness) {
			return &problem{kind: badRequest, field: freshnessField, message: "not a ZedToken of this SpiceDB, or one that is too old", cause: err}
		}
		return &problem{kind: badRequest, message: "SpiceDB cannot be asked this: a param may be no object id, or a claim no value of a caveat", cause: err}
	case authz.Unavailable:
		return &problem{kind: unavailable, message: "permissions cannot be checked now", cause: err}
	default:
		return &problem{kind: internal, message: "permissions could not be checked", cause: err}
	}
}
