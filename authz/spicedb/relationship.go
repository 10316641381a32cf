package spicedb

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/shapegate/shapegate/authz"
)

// Relationship is one relationship, in the terms of SpiceDB's documentation.
type Relationship struct {
	Resource authz.ObjectRef
	Relation string

	Subject         authz.ObjectRef // its ID is "*" where everybody of the type is meant
	SubjectRelation string          // "member" of "group:staff#member", or empty

	Caveat        string // the caveat's name, or empty
	CaveatContext map[string]any

	Expires time.Time // zero if it does not expire
}

// Names as the validation rules of authzed.api.v1 have them.
var (
	relationPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{1,62}[a-z0-9]$`)
	caveatPattern   = regexp.MustCompile(`^([a-z][a-z0-9_]{1,61}[a-z0-9]/)*[a-z][a-z0-9_]{1,62}[a-z0-9]$`)
)

// ParseRelationship reads the form that SpiceDB's tools use:
//
//	document:readme#viewer@user:alice
//	document:readme#viewer@group:staff#member
//	document:readme#viewer@user:*
//	document:readme#viewer@user:alice[on_weekday:{"zone":"UTC"}][expiration:2030-01-01T00:00:00Z]
//
// Errors are Invalid and name the part that is wrong.
func ParseRelationship(s string) (Relationship, error) {
	const op = "parse relationship"
	r, err := parseRelationship(strings.TrimSpace(s))
	if err != nil {
		return Relationship{}, authz.E(authz.Invalid, op, err)
	}
	return r, nil
}

func parseRelationship(s string) (r Relationship, err error) {
	// No name and no id may hold any of the delimiters.
	resource, rest, ok := strings.Cut(s, "#")
	if !ok {
		return r, errors.New("no # between the resource and the relation")
	}
	relation, rest, ok := strings.Cut(rest, "@")
	if !ok {
		return r, errors.New("no @ between the relation and the subject")
	}
	var traits string
	if i := strings.IndexByte(rest, '['); i >= 0 {
		rest, traits = rest[:i], rest[i:]
	}
	subject, subjectRelation, isSet := strings.Cut(rest, "#")

	if r.Resource, err = authz.ParseObjectRef(resource); err != nil {
		return r, fmt.Errorf("resource: %w", bare(err))
	}
	if r.Relation = relation; !relationPattern.MatchString(relation) {
		return r, fmt.Errorf("%q is not the name of a relation", relation)
	}
	if r.Subject, err = parseSubject(subject); err != nil {
		return r, fmt.Errorf("subject: %w", bare(err))
	}
	if r.SubjectRelation = subjectRelation; isSet && !relationPattern.MatchString(subjectRelation) {
		return r, fmt.Errorf("subject: %q is not the name of a relation", subjectRelation)
	}
	if isSet && r.Subject.ID == "*" {
		return r, errors.New("subject: a wildcard has no relation")
	}
	return r, r.parseTraits(traits)
}

// bare is what is wrong with an object, without the name of the check.
func bare(err error) error {
	if e := new(authz.Error); errors.As(err, &e) && e.Err != nil {
		return e.Err
	}
	return err
}

func parseSubject(s string) (authz.ObjectRef, error) {
	if typ, ok := strings.CutSuffix(s, ":*"); ok {
		ref, err := authz.NewObjectRef(typ, "everybody") // for the check of the type
		ref.ID = "*"
		return ref, err
	}
	return authz.ParseObjectRef(s)
}

// parseTraits reads the caveat and the expiration, both optional, in this order.
func (r *Relationship) parseTraits(s string) (err error) {
	const expiration = "[expiration:"
	if s != "" && !strings.HasPrefix(s, expiration) {
		if s, err = r.parseCaveat(s); err != nil {
			return fmt.Errorf("caveat: %w", err)
		}
	}
	if s == "" {
		return nil
	}
	text, ok := strings.CutPrefix(s, expiration)
	if !ok {
		return errors.New("something follows the caveat that is no expiration")
	}
	if text, ok = strings.CutSuffix(text, "]"); !ok {
		return errors.New("expiration: no ] at the end")
	}
	if r.Expires, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return errors.New("expiration: not a time of RFC 3339")
	}
	r.Expires = r.Expires.UTC()
	return nil
}

// parseCaveat reads "[name]" or "[name:{…}]" and returns what follows.
func (r *Relationship) parseCaveat(s string) (rest string, err error) {
	end := strings.IndexAny(s, ":]")
	if end < 0 {
		return "", errors.New("no ] at the end")
	}
	if r.Caveat = s[1:end]; !caveatPattern.MatchString(r.Caveat) {
		return "", fmt.Errorf("%q is not the name of a caveat", r.Caveat)
	}
	rest = s[end:]
	if text, ok := strings.CutPrefix(rest, ":"); ok {
		// The context may itself hold brackets: its end is where JSON says.
		d := json.NewDecoder(strings.NewReader(text))
		if err := d.Decode(&r.CaveatContext); err != nil || r.CaveatContext == nil {
			return "", errors.New("the context is no JSON object")
		}
		rest = text[d.InputOffset():]
	}
	rest, ok := strings.CutPrefix(rest, "]")
	if !ok {
		return "", errors.New("no ] at the end")
	}
	return rest, nil
}

// String returns the form that ParseRelationship reads.
func (r Relationship) String() string {
	var b strings.Builder
	b.WriteString(r.Resource.String() + "#" + r.Relation + "@" + r.Subject.String())
	if r.SubjectRelation != "" {
		b.WriteString("#" + r.SubjectRelation)
	}
	if r.Caveat != "" {
		b.WriteString("[" + r.Caveat)
		if len(r.CaveatContext) > 0 {
			if context, err := json.Marshal(r.CaveatContext); err == nil {
				b.WriteString(":" + string(context))
			}
		}
		b.WriteString("]")
	}
	if !r.Expires.IsZero() {
		b.WriteString("[expiration:" + r.Expires.UTC().Format(time.RFC3339Nano) + "]")
	}
	return b.String()
}

func (r Relationship) toAPI() (*authzedv1.Relationship, error) {
	rel := &authzedv1.Relationship{
		Resource: objectReference(r.Resource),
		Relation: r.Relation,
		Subject: &authzedv1.SubjectReference{
			Object:           objectReference(r.Subject),
			OptionalRelation: r.SubjectRelation,
		},
	}
	if r.Caveat != "" {
		values, err := asStruct(r.CaveatContext)
		if err != nil {
			return nil, err
		}
		rel.OptionalCaveat = &authzedv1.ContextualizedCaveat{CaveatName: r.Caveat, Context: values}
	}
	if !r.Expires.IsZero() {
		rel.OptionalExpiresAt = timestamppb.New(r.Expires)
	}
	return rel, nil
}

func fromAPI(rel *authzedv1.Relationship) Relationship {
	object := func(o *authzedv1.ObjectReference) authz.ObjectRef {
		return authz.ObjectRef{Type: o.GetObjectType(), ID: o.GetObjectId()}
	}
	r := Relationship{
		Resource:        object(rel.GetResource()),
		Relation:        rel.GetRelation(),
		Subject:         object(rel.GetSubject().GetObject()),
		SubjectRelation: rel.GetSubject().GetOptionalRelation(),
		Caveat:          rel.GetOptionalCaveat().GetCaveatName(),
	}
	if values := rel.GetOptionalCaveat().GetContext(); len(values.GetFields()) > 0 {
		r.CaveatContext = values.AsMap()
	}
	if at := rel.GetOptionalExpiresAt(); at != nil {
		r.Expires = at.AsTime()
	}
	return r
}
