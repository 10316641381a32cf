package proxy

import (
	"github.com/shapegate/shapegate/authz/shapetoken"
)

// ShapeTokens makes and reads the tokens of the gatekeeper. *shapetoken.Authority does.
type ShapeTokens interface {
	// Sign returns a token that ends at t.Expires at the latest. Errors are Unauthenticated
	// where that has come, and Invalid where the token would be too long.
	Sign(t shapetoken.Token) (string, error)

	// Verify returns what a token says. Errors are Unauthenticated.
	Verify(token string) (shapetoken.Token, error)

	// PublicKeys returns the keys that tokens verify with, as a JWK Set.
	PublicKeys() []byte
}

// tokenShape is what a request reads, as a shape token has it. The request is narrowed.
func tokenShape(r *shapeRequest) shapetoken.Shape {
	s := shapetoken.Shape{Name: r.def.Name, Params: r.params}
	if r.narrowed != nil {
		s.Columns = r.narrowed.Columns
		s.Where, s.WhereParams = r.narrowed.SQL(1)
	}
	return s
}

// The credentials of a request may be good for one shape alone. What they are good for is
// compared part by part, as soon as it is known what the request asks for: nothing is said
// about another shape, and SpiceDB is not asked about it.

// checkName refuses a request for another shape definition, whether there is one or not.
func (a *access) checkName(name string) error {
	if a.only == nil || a.only.Name == name {
		return nil
	}
	return anotherShape("table")
}

// checkParams refuses a request with other values of the definition's params.
func (a *access) checkParams(r *request) error {
	if a.only == nil || a.only.IsOf(r.def.Name, r.params) {
		return nil
	}
	for _, name := range r.def.Params {
		if r.params[name] != a.only.Params[name] {
			return anotherShape(name)
		}
	}
	return anotherShape("table") // the definition had other params when the token was made
}

// checkNarrowing refuses a request for other columns, or with another where.
func (a *access) checkNarrowing(r *shapeRequest) error {
	if a.only == nil {
		return nil
	}
	asked := tokenShape(r)
	switch {
	case asked.Equal(a.only):
		return nil
	case asked.Where == a.only.Where:
		return anotherShape("columns")
	}
	return anotherShape("where")
}

func anotherShape(field string) *problem {
	return &problem{kind: forbidden, field: field, message: "the token is for another shape: ask the gatekeeper for a token for this one"}
}
