package shapetoken

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
)

// Shape is what a token is good for: one shape definition, with the values of its params
// and, where the client wants less than the definition has, the columns and the where.
type Shape struct {
	// Name is the shape definition's. Clients send it as table.
	Name string `json:"name"`

	// Params are the values of the definition's params.
	Params map[string]string `json:"params,omitempty"`

	// Columns are those that the client reads, sorted; nil: all of the definition.
	Columns []string `json:"columns,omitempty"`

	// Where restricts the rows further; empty: all of the definition. Its $1, $2, … stand
	// for WhereParams.
	Where       string   `json:"where,omitempty"`
	WhereParams []string `json:"where_params,omitempty"`
}

// IsOf reports whether the shape is one of a definition with these values of its params.
func (s *Shape) IsOf(name string, params map[string]string) bool {
	return s.Name == name && maps.Equal(s.Params, params)
}

// Equal reports whether both are the same shape.
func (s *Shape) Equal(t *Shape) bool {
	return s.IsOf(t.Name, t.Params) && slices.Equal(s.Columns, t.Columns) &&
		s.Where == t.Where && slices.Equal(s.WhereParams, t.WhereParams)
}

// Token is what a token says.
type Token struct {
	// Subject is who may read. Its claims are those that the caveat context of the shape
	// needs. They are shared and must not be changed.
	Subject authz.Subject

	Shape Shape

	// Fresh is a revision that each decision must have seen, or empty.
	Fresh authz.ZedToken

	// Session refers to the session that the token was got with, and ends with; empty: none.
	Session string

	// Expires is when the token ceases to hold.
	Expires time.Time
}

// Type is the "typ" of the header of each token (RFC 8725, section 3.11): so no token of
// another purpose is taken for one of these.
const Type = "shapegate-shape+jwt"

// Audience is the "aud" of each token.
const Audience = "shapegate"

// MaxSize is the longest token that is made or looked at, in bytes. Servers and proxies
// commonly allow 8 KiB for a header.
const MaxSize = 8<<10 - len("Authorization: Bearer ")

// LooksLikeToken reports whether text says of itself that it is one of these tokens. It
// need not be valid.
func LooksLikeToken(text string) bool {
	head, _, ok := strings.Cut(text, ".")
	if !ok || len(text) > MaxSize {
		return false
	}
	decoded, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || !bytes.Contains(decoded, []byte(Type)) {
		return false // most tokens are others, and each request has one
	}
	var header struct {
		Type string `json:"typ"`
	}
	return json.Unmarshal(decoded, &header) == nil && header.Type == Type
}

// claims are a token's claims as they are written. Their form is a contract with replicas
// of other versions, and with edges.
type claims struct {
	jwt.RegisteredClaims
	Shape   Shape          `json:"shape"`
	Context map[string]any `json:"claims,omitempty"` // of the credentials
	Fresh   authz.ZedToken `json:"at_least_as_fresh,omitempty"`
	Session string         `json:"sid,omitempty"`
}
