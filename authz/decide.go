package authz

import "context"

// Requirement is a permission that the subject must hold on one object.
type Requirement struct {
	Resource   ObjectRef
	Permission string
}

// Filter names the ids that a subject may see: every object of ResourceType on
// which it holds Permission.
type Filter struct {
	ResourceType string
	Permission   string
}

// Rule is what a shape asks of its readers. At least one of Gate and Filters is
// set: nothing is public by accident.
type Rule struct {
	Gate         *Requirement // must hold, or the answer is Denied
	Unrestricted *Requirement // holders see every row, whatever the filters say
	Filters      []Filter     // a row is visible if any filter reaches it
}

// Consistency is how fresh SpiceDB's answer has to be.
type Consistency uint8

// Until grant sets are kept current by a watch, both are answered at full
// consistency. SpiceDB's minimize_latency is never used: it may be as old as
// the revision quantization, 5 s by default.
const (
	Bounded Consistency = iota
	Strict
)

// Question is one decision to make.
type Question struct {
	Subject     Subject
	Rule        Rule
	Context     map[string]any // caveat context; a missing key makes a caveat conditional, so denied
	Consistency Consistency
}

// Decision is who may see which rows, as a value: it holds no connection, does
// not change, and can be compared.
type Decision struct {
	// Unrestricted readers see every row: they hold the rule's Unrestricted
	// requirement, or the rule has no filters and its gate is all it asks.
	Unrestricted bool

	// Grants[i] holds the ids that Rule.Filters[i] reaches. Nil if Unrestricted.
	Grants []*GrantSet
}

// Engine answers single questions about permissions. Package authz/spicedb has
// the one that asks a SpiceDB server.
type Engine interface {
	// CheckPermission reports whether subject holds permission on resource. A
	// conditional result is false. Errors are Unavailable, Invalid or Internal.
	CheckPermission(ctx context.Context, subject Subject, resource ObjectRef, permission string, caveatContext map[string]any) (bool, error)

	// LookupResources calls yield with every id of resourceType on which
	// subject holds permission, each at least once, in no order. Conditional
	// results are left out. If it returns an error, what was yielded is a part
	// of the answer and must not be used.
	LookupResources(ctx context.Context, subject Subject, resourceType, permission string, caveatContext map[string]any, yield func(id string)) error
}
