package authz

import "context"

// Lease is one reader's hold on a question: while it lasts, the answer is kept
// current. It is safe for concurrent use.
type Lease interface {
	// Decide answers the question: a Bounded one from what is kept current, as far
	// as that may be used, and otherwise by asking SpiceDB. The answer has seen
	// what the revision of a token has, if one is given.
	//
	// Errors are Denied where the gate does not hold, and otherwise Unavailable or
	// Internal, or the context's. With an error there is no decision, and nothing
	// is permitted.
	Decide(ctx context.Context, c Consistency, fresh ZedToken) (Decision, error)

	// Changed returns a channel that is closed when there may be something to
	// decide anew. Take it before Decide, wait on it afterwards.
	Changed() <-chan struct{}

	// Since returns how a decision of this lease differs from the one that was
	// made at a mark and has that name. It returns false if that is not known.
	Since(now Decision, then Mark, name Fingerprint) (Change, bool)

	// Confirm asks SpiceDB anew, at full consistency, about some of what a
	// decision permits: for each filter, some of its ids. It returns the decision
	// as far as it still holds for them; Grants then has no other ids. Errors are
	// those of Decide.
	Confirm(ctx context.Context, d Decision, ids [][]string) (Decision, error)

	// Release ends the lease. It may be called more than once.
	Release()
}
