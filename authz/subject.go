package authz

import (
	"fmt"
	"regexp"
	"strings"
)

// ObjectRef names one object in SpiceDB: "document:readme".
type ObjectRef struct {
	Type string // the definition, "document" or "tenant/document"
	ID   string // the object id
}

// Subject is the person (or service) a request is made for.
type Subject struct {
	ObjectRef

	// Claims are what the credentials said of the subject, verified. They are
	// the source of caveat context and decide nothing on their own.
	Claims map[string]any
}

// SpiceDB's own rules for object ids and definition names, as stated by the
// validation rules of authzed.api.v1.ObjectReference. The object id "*" is a
// wildcard there; it stands for everybody, so it is never a person and never
// an object to check.
var (
	objectIDPattern = regexp.MustCompile(`^[a-zA-Z0-9/_|\-=+]+$`)
	typePattern     = regexp.MustCompile(`^([a-z][a-z0-9_]{1,61}[a-z0-9]/)*[a-z][a-z0-9_]{1,62}[a-z0-9]$`)
)

// maxObjectID is in characters, all of which are ASCII.
const maxObjectID = 1024

// ValidObjectID reports whether SpiceDB accepts id as the id of one object.
func ValidObjectID(id string) bool {
	return len(id) <= maxObjectID && objectIDPattern.MatchString(id)
}

// NewObjectRef returns a reference that SpiceDB will accept, or an Invalid
// error that names the part it would refuse.
func NewObjectRef(typ, id string) (ObjectRef, error) {
	if !typePattern.MatchString(typ) {
		return ObjectRef{}, E(Invalid, "object reference", fmt.Errorf("%q is not a definition name", typ))
	}
	if !ValidObjectID(id) {
		return ObjectRef{}, E(Invalid, "object reference", fmt.Errorf("object id of %s is empty, too long, or has characters that SpiceDB does not allow", typ))
	}
	return ObjectRef{Type: typ, ID: id}, nil
}

// ParseObjectRef reads "type:id".
func ParseObjectRef(s string) (ObjectRef, error) {
	typ, id, ok := strings.Cut(s, ":")
	if !ok {
		return ObjectRef{}, E(Invalid, "object reference", fmt.Errorf("%q is not of the form type:id", s))
	}
	return NewObjectRef(typ, id)
}

// String returns "type:id".
func (r ObjectRef) String() string { return r.Type + ":" + r.ID }
