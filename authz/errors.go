package authz

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an error is, which is all that a caller may
// need to know to choose an answer.
type Kind uint8

// The kinds of failure. The zero Kind is Internal: an unclassified failure is
// our own fault.
const (
	Internal        Kind = iota // a defect here, or an unforeseen answer
	Invalid                     // the question was malformed
	Unauthenticated             // no credentials, or none that hold
	Denied                      // the credentials hold, the permission does not
	Unavailable                 // SpiceDB, Redis or the key server did not answer
	Unanswerable                // SpiceDB cannot evaluate the permission: a cycle, too many levels, not in the schema
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "denied", "unavailable", "unanswerable"}

// String returns the kind's name, for logs and metrics.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Error is a failure of this package or of one of its adapters. Its text is for
// logs: it may name objects and endpoints, and must never be sent to a client.
type Error struct {
	Kind Kind
	Op   string // what was being done: "check permission", "read session"
	Err  error  // the cause
}

// E returns an error of the given kind for the operation op.
func E(kind Kind, op string, err error) error { return &Error{Kind: kind, Op: op, Err: err} }

// Error implements error. A kind that the cause says, too, is said once.
func (e *Error) Error() string {
	var cause *Error
	switch {
	case e.Err == nil:
		return fmt.Sprintf("%s: %s", e.Op, e.Kind)
	case errors.As(e.Err, &cause) && cause.Kind == e.Kind:
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Op, e.Kind, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

var errUnguarded = errors.New("the rule has neither a gate nor a filter")

// KindOf returns the kind of the outermost Error in err's chain, or Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
