package authz

import (
	"context"
	"errors"
	"time"
)

// Decision is the answer to a question: the subject may read, and sees what Grants
// reach. There is no decision that denies: a denial is an error of kind Denied.
type Decision struct {
	Grants Grants

	// Fingerprint stands for Grants under the rule's label.
	Fingerprint Fingerprint

	// Tokens[i] is a revision at which the set of the i-th filter was as it is now:
	// that of the last call which confirmed it. Empty where Grants reach everything. A
	// token may be empty if SpiceDB named no revision.
	Tokens []ZedToken

	// At says what the decision knows of.
	At Moment
}

// Moment says what a decision knows of what was written to SpiceDB: all that was written
// before Time, by the clock of the process that decided, and of what was lost later the
// Losses.
//
// A replica may hear of a loss after another one has. If its decisions were of the moment
// when they are made, the other one could not tell which losses they know of:
//
//	replica A               replica B
//	10:00:00.0 heartbeat    10:00:00.0 heartbeat
//	                        10:00:00.2 alice loses d1 (loss 7)
//	10:00:00.3 decides: At {10:00:00.0}: for B, alice was interrupted
//	10:00:00.4 loss 7
//	10:00:00.5 decides: At {10:00:00.0, losses 7}: for B, she was not
type Moment struct {
	Time   time.Time
	Losses []Loss // MostLosses at most
}

// MostLosses is how many losses a moment lists. With more, its time is after the older
// ones.
const MostLosses = 8

// Loss names something that one subject lost at one time. Replicas that heard of it by the
// watch have the same name for it.
type Loss uint32

// Subscription is one reader's use of a question: while it lasts, the answer is kept
// current. It is safe for concurrent use.
type Subscription interface {
	// Decide answers the question: a Bounded one from what is kept current, as far as
	// the watch is proven to be current, and otherwise by asking SpiceDB. The answer has
	// seen what the revision of fresh has, if one is given.
	//
	// Errors are Denied where the gate does not hold, ErrFreshness (which is Invalid) where
	// SpiceDB refuses fresh, Unavailable or Internal, or the context's. With an error nothing is
	// permitted.
	Decide(ctx context.Context, c Consistency, fresh ZedToken) (Decision, error)

	// Changed returns a channel that is closed when there may be something to decide
	// anew. Take it before Decide, wait on it afterwards.
	Changed() <-chan struct{}

	// Recall returns the grants that a fingerprint of this question stands for: from
	// memory, or by looking them up at exactly the revisions of tokens, one for each
	// filter. The error is ErrForgotten if neither has them; otherwise those of Decide.
	Recall(ctx context.Context, f Fingerprint, tokens []ZedToken) (Grants, error)

	// Interrupted returns the ids that this process saw being taken away from the
	// subject, one object at a time, and that a decision of a moment does not know of. They
	// may have been given back since: what was written in between was not the subject's to
	// read. It returns false if the gate or the unrestricted requirement did not hold at
	// some time since then: nothing that was served before may be continued.
	Interrupted(since Moment) (lost Grants, ok bool)

	// Confirm asks SpiceDB at full consistency whether the subject still holds some ids:
	// ids[i] are of the i-th filter. It returns those that it does; everything, if g is
	// everything and still permitted. Errors are those of Decide.
	Confirm(ctx context.Context, g Grants, ids [][]string) (Grants, error)

	// Release ends the subscription. It may be called more than once.
	Release()
}

// ErrFreshness says that SpiceDB refuses the revision that an answer was to be as fresh as.
var ErrFreshness = errors.New("authz: not a revision of this SpiceDB")

// ErrForgotten says that the grants which a fingerprint stands for cannot be had any
// more: they are not remembered, and SpiceDB does not have the revision, or gives another
// answer at it (the schema or the caveat context has changed).
var ErrForgotten = errors.New("authz: the grants of this fingerprint are forgotten")
