package electric

import (
	"errors"
	"fmt"
	"time"
)

// ErrMustRefetch says that Electric does not have the log of a handle: the shape was
// rotated, its table truncated, or the handle belongs to another shape.
var ErrMustRefetch = errors.New("electric: must refetch")

// ErrRefused says that Electric answered 400. If it is no *MisconfiguredError, a value
// in the request is the cause: in a subset, most often one that the type of its column
// cannot hold. The reason is dropped, since it quotes the request.
var ErrRefused = errors.New("electric: refused the request")

// ErrTooLarge says that a request was over Electric's limits (recordings 07, 09).
var ErrTooLarge = errors.New("electric: request too large")

// UnavailableError says that there was no answer: Electric is away, overloaded, or has
// lost its database.
type UnavailableError struct {
	Status     int           // the HTTP status, or 0 when no answer came
	RetryAfter time.Duration // what Electric asked for, or 0
	Err        error
}

// Error implements error. The text is for logs only.
func (e *UnavailableError) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("electric: unavailable: status %d", e.Status)
	}
	return fmt.Sprintf("electric: unavailable: %v", e.Err)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// ProtocolError says that an answer breaks the protocol of Electric.
type ProtocolError struct{ Reason string }

// Error implements error.
func (e *ProtocolError) Error() string { return "electric: protocol: " + e.Reason }

func protocolErrorf(format string, args ...any) error {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...)}
}
