package schema

// Guarded is what a shape and a collection of grants have in common: a name, and who may
// read.
type Guarded struct {
	Name string // the last part of its URL: /v1/shapes/<name> or /v1/grants/<name>

	// Params are the names that a client must give a value for, sorted.
	Params []string

	Authorize   Authorize
	Consistency Consistency

	// origin is where it was read from, for the errors of Validate; nil if it was not
	// parsed.
	origin *positions
}

// Shape is one shape definition, parsed and checked for itself.
type Shape struct {
	Guarded
	Table   Table    // the Postgres table
	Columns []string // what clients receive and may query, in the file's order

	// Where is the static restriction, or nil.
	Where *Where

	FirstRead FirstRead
	Narrowing Narrowing
}

// Table is a Postgres table, its names as they stand in the catalog (not folded,
// not quoted).
type Table struct {
	Schema string // "public" where shapes.yaml does not say
	Name   string
}

// Where is a static where clause: SQL with $1, $2, … in place of the named
// parameters that shapes.yaml speaks of.
type Where struct {
	SQL    string
	Params []string // Params[i] is the name of the parameter that $<i+1> stands for
}

// Authorize is the authorization rule of a shape.
type Authorize struct {
	Gate         *Requirement
	Unrestricted *Requirement
	Filter       []Filter

	// Context is the caveat context that is sent with every question: from the
	// caveat parameter's name to where its value comes from.
	Context map[string]ContextValue
}

// Requirement is a permission on one object, whose id may depend on a param.
type Requirement struct {
	Resource   Resource
	Permission string
}

// Resource is an object reference, or a template of one: "project:$project".
type Resource struct {
	Type  string
	ID    string // the literal id, if Param is empty
	Param string // the name of the param that gives the id
}

// Filter makes a row visible if Column holds the id of an object of the
// definition Resource on which the subject holds Permission.
type Filter struct {
	Resource   string
	Permission string
	Column     string
}

// Source says where a value of the caveat context comes from.
type Source uint8

// The sources of caveat context.
const (
	Literal     Source = iota // a constant of shapes.yaml
	Claim                     // claims.<path>: a claim of the subject's token
	RequestIP                 // request.ip: the client's address, as text
	RequestTime               // request.time: the time of the request, RFC 3339
)

// ContextValue is one entry of the caveat context.
type ContextValue struct {
	Source Source
	Path   []string // of a Claim: department, or address then country
	Value  any      // of a Literal
}

// Consistency is how fresh the permissions behind an answer have to be.
type Consistency uint8

// The consistencies of shapes.yaml; Bounded is the default.
const (
	Bounded Consistency = iota
	Strict
)

// FirstRead is where a client that has nothing yet gets its rows from.
type FirstRead uint8

// The first reads of shapes.yaml; Snapshot is the default.
const (
	// Snapshot asks Postgres for the rows as they are.
	Snapshot FirstRead = iota
	// Stored takes Electric's stored log, which costs Postgres nothing. It holds the
	// past too: rows that are deleted, and what was in them before. So only a shape
	// whose readers all see every row may have it.
	Stored
)

// Narrowing says whether a client may narrow its log by a where or columns of its own.
type Narrowing uint8

// The narrowings of shapes.yaml; NarrowingServed is the default.
const (
	// NarrowingServed has Electric evaluate what the client asks. The positions of such a log tell
	// that a row which meets the where was written, also when the client may not see it.
	NarrowingServed Narrowing = iota
	// NarrowingRefused has the proxy answer 400, with the key of the query that asks for it.
	NarrowingRefused
)
