package authz

import (
	"context"
	"time"
)

// ZedToken names a revision of SpiceDB's data. Tokens are opaque: two of them can
// be neither ordered nor compared, only handed back.
type ZedToken string

// Check asks whether a subject holds a permission on one object.
type Check struct {
	Subject    ObjectRef
	Resource   ObjectRef
	Permission string
	Context    map[string]any // caveat context; not modified
}

// CheckResult is the answer to one Check. With an Err there is no answer, and Held is
// false. An Unanswerable one stays as it is until the data or the schema change.
type CheckResult struct {
	Held bool
	Err  error
}

// Lookup asks which objects of ResourceType a subject holds a permission on.
type Lookup struct {
	Subject      ObjectRef
	ResourceType string
	Permission   string
	Context      map[string]any // caveat context; not modified
	At           ZedToken       // exactly this revision; empty: full consistency
}

// SubjectFound is one subject that LookupSubjects found.
type SubjectFound struct {
	// ID is Wildcard where everybody of the type holds the permission, but those in
	// Excluded.
	ID          string
	Conditional bool // it depends on caveat context, which the lookup has none of

	// Excluded are the ids that a wildcard does not stand for: surely, or (true)
	// depending on caveat context.
	Excluded map[string]bool
}

// Engine answers single questions about permissions, and says what changes.
// Package authz/spicedb has the one that asks a SpiceDB server. Its errors are
// Unavailable, Unanswerable, Invalid or Internal, or a cancelled context's.
//
// Answers are fully consistent unless a revision is named: they have seen what was
// written before, but for what was written in the same few milliseconds (calls that
// come together share one look at the head revision). SpiceDB's minimize_latency may
// be as old as the revision quantization, 5 s by default, and at_least_as_fresh as a
// watch event's revision is not enough: on Postgres, where revisions overlap, such an
// answer may lack what the watch has already brought.
//
// A value of the caveat context that a caveat cannot take counts as missing.
type Engine interface {
	// CheckPermissions answers several checks at one revision, in their order, item
	// by item. A conditional result is not held. An error is of the whole call.
	CheckPermissions(ctx context.Context, checks []Check) ([]CheckResult, ZedToken, error)

	// LookupResources calls yield with every id of the lookup's answer, each at
	// least once, in no order. Conditional results are left out. The token is the
	// revision of the answer, empty if SpiceDB named none, as it does for an empty
	// answer. If it returns an error, what was yielded is a part of the answer and
	// must not be used. The error is Invalid if the lookup's revision is not to be had.
	LookupResources(ctx context.Context, l Lookup, yield func(id string)) (ZedToken, error)

	// LookupSubjects calls yield with every subject of a type that holds a permission
	// on an object, without any caveat context. A subject that is not yielded, and not
	// behind a wildcard, does not hold it, whatever its context.
	LookupSubjects(ctx context.Context, resource ObjectRef, permission, subjectType string, yield func(SubjectFound)) (ZedToken, error)

	// Reach returns when SpiceDB has reached the revision of a token. It is Invalid if
	// SpiceDB refuses the token.
	Reach(ctx context.Context, token ZedToken) error

	// Head returns the newest revision, and whether the schema at it has
	// the definition for heartbeats (see Heartbeat).
	Head(ctx context.Context) (at ZedToken, heartbeat bool, err error)

	// Dependencies returns what a permission, or a relation that is used as one,
	// rests on in the newest schema. A permission that the schema does not have
	// is Unanswerable.
	Dependencies(ctx context.Context, definition, permission string) (Dependencies, error)

	// Watch calls yield with everything that is written after a revision, in the
	// order of the revisions, until ctx ends or the stream breaks. It never
	// returns nil, and does not try again. An error whose cause is
	// ErrRevisionGone says that the revision cannot be watched from any more.
	Watch(ctx context.Context, after ZedToken, yield func(WatchEvent)) error

	// Heartbeat writes the n-th heartbeat of one process, a relationship that takes the
	// place of the one before. The watch brings it back, see WatchEvent.
	Heartbeat(ctx context.Context, process string, n uint64) error
}

// ErrRevisionGone says that SpiceDB has forgotten the revision that it was asked
// to watch from: it was garbage collected, or is of another datastore.
var ErrRevisionGone error = goneError{}

type goneError struct{}

func (goneError) Error() string { return "the revision is gone" }

// WatchEvent is what happened in one revision, or in a part of one: a large
// revision may come in several events.
type WatchEvent struct {
	Updates       []RelationshipUpdate
	SchemaChanged bool // definitions or caveats were written or deleted
	Checkpoint    bool // every event up to Through has been sent

	// Through is the revision, to watch from again. It is not good to ask at: see
	// Engine.
	Through ZedToken

	// Heartbeats are those in the revision, the last one of each process. They are
	// not among Updates.
	Heartbeats map[string]uint64
}

// RelationshipUpdate is one relationship that was written, whether it existed
// before or not, or deleted.
type RelationshipUpdate struct {
	Resource        ObjectRef
	Relation        string
	Subject         ObjectRef // its ID is Wildcard where everybody of the type is meant
	SubjectRelation string    // "member" of "group:staff#member", or empty
	Deleted         bool
	Expires         time.Time // zero if it does not expire
}

// Wildcard is the id of a subject that stands for everybody of its type. It is
// never a person, and never an object to check.
const Wildcard = "*"

// Relation names a relation of a definition: "document#viewer".
type Relation struct{ Definition, Name string }

// Dependencies says which relationships can change a permission, and how far
// such a change may reach.
type Dependencies struct {
	// Relations are those whose relationships the permission rests on, across
	// definitions. No relationship of any other relation can change it.
	Relations map[Relation]bool

	// Walked are the definitions that have a relation or a permission among those
	// that the permission rests on. A relationship whose subject is an object of
	// one of them may change the permission for others than that object: there
	// is more to be found behind it.
	Walked map[string]bool

	// Subjects are the definitions whose objects may be the subject of one of
	// Relations. Where the permission's own definition is not among them, no
	// object's permission rests on the relationships of another object of the
	// definition.
	Subjects map[string]bool

	// Expiring is whether any of Relations may hold relationships that expire.
	// Their end is in no watch event.
	Expiring bool
}
