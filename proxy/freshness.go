package proxy

import (
	"encoding/base64"
	"net/http"

	"github.com/shapegate/shapegate/authz"
)

// freshnessHeader carries the ZedToken of a write that the answer must have seen,
// so that a person who grants something can read it at once.
const freshnessHeader = "Shapegate-At-Least-As-Fresh"

// freshnessField is the header in the errors of this package.
const freshnessField = "shapegate-at-least-as-fresh"

// maxZedToken is in bytes. SpiceDB's own tokens are under 100.
const maxZedToken = 1024

// freshness reads the header, empty if there is none. It checks the token's form;
// SpiceDB checks the rest, when the decision is made.
func freshness(r *http.Request) (authz.ZedToken, error) {
	tokens := r.Header.Values(freshnessHeader)
	if len(tokens) == 0 {
		return "", nil
	}
	if len(tokens) > 1 {
		return "", invalid(freshnessField, "given more than once")
	}
	token := tokens[0]
	if _, err := base64.StdEncoding.DecodeString(token); err != nil || token == "" || len(token) > maxZedToken {
		return "", invalid(freshnessField, "not a ZedToken")
	}
	return authz.ZedToken(token), nil
}
