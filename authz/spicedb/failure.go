package spicedb

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
)

// failures give the errors of calls their kinds, and say in the log what only an operator
// can mend.
type failures struct {
	log        *slog.Logger
	complaints complaints
}

// failed gives an error of a call its kind. ctx is the context of the call as a
// whole.
func (f *failures) failed(ctx context.Context, op string, err error) error {
	code := status.Code(err)
	if cause := ctx.Err(); errors.Is(cause, context.Canceled) {
		// The caller went away: that is no failure.
		return &canceledError{op: op}
	}
	if code == codes.Unauthenticated || code == codes.PermissionDenied {
		f.complaints.say(ctx, f.log, slog.LevelError,
			"SpiceDB refuses the preshared key: no request can be authorized until SPICEDB_TOKEN is put right",
			slog.String("code", code.String()))
	}
	return authz.E(kindOf(code), op, err)
}

// kindOf says whether a failure may pass. Unforeseen codes are the server's
// trouble, not the question's, and come from proxies on the way too: Internal and
// Unknown are what SpiceDB answers while its datastore restarts.
func kindOf(code codes.Code) authz.Kind {
	switch code {
	case codes.InvalidArgument, codes.Unimplemented, codes.AlreadyExists:
		return authz.Internal
	case codes.FailedPrecondition, // a cycle, too many levels, a permission that the schema does not have
		codes.NotFound: // no schema at all
		return authz.Unanswerable
	default:
		return authz.Unavailable
	}
}

// refused gives an error of a write or of a token its kind: what SpiceDB refuses to
// take is the caller's mistake.
func (f *failures) refused(ctx context.Context, op string, err error) error {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange, codes.AlreadyExists:
		return authz.E(authz.Invalid, op, err)
	default:
		return f.failed(ctx, op, err)
	}
}

// refusedRevision gives an error of a call that names a revision its kind: Invalid if
// SpiceDB does not have the revision, or does not know the token.
func (f *failures) refusedRevision(ctx context.Context, op string, err error) error {
	if revisionGone(err) {
		return authz.E(authz.Invalid, op, err)
	}
	return f.failed(ctx, op, err)
}

// passing reports whether the same read may succeed when it is sent again.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted,
		codes.Canceled: // by a server that is shutting down
		return true
	default:
		return false
	}
}

// answered reports whether an error is SpiceDB's word on the question rather
// than a failure to answer.
func answered(err error) bool {
	switch status.Code(err) {
	case codes.NotFound, codes.FailedPrecondition, codes.InvalidArgument, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// canceledError is the error of a call whose caller cancelled it.
type canceledError struct{ op string }

func (e *canceledError) Error() string { return e.op + ": " + context.Canceled.Error() }
func (e *canceledError) Unwrap() error { return context.Canceled }

// complaints keeps a lasting fault, which fails every request, from filling the
// log: it lets one line through in complaintInterval.
type complaints struct{ last atomic.Int64 }

const complaintInterval = 10 * time.Second

func (c *complaints) say(ctx context.Context, logger *slog.Logger, level slog.Level, msg string, attrs ...slog.Attr) {
	now := time.Now().UnixNano()
	last := c.last.Load()
	if last != 0 && now-last < int64(complaintInterval) || !c.last.CompareAndSwap(last, now) {
		return
	}
	logger.LogAttrs(ctx, level, msg, attrs...)
}
