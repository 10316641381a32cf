package identity

import (
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
)

const opVerify = "verify token"

// A reasonError says why a token was refused. Reasons are fixed texts, so that no
// part of a token can get into a log by way of an error.
type reasonError string

func (r reasonError) Error() string { return string(r) }

const (
	errTooLong           reasonError = "the token is longer than 8 KiB"
	errMalformed         reasonError = "the token is not a signed JWT"
	errWrongAlgorithm    reasonError = "the token's signature algorithm is not accepted"
	errCriticalHeader    reasonError = "the token has a critical header, and none is understood"
	errBadKeyID          reasonError = "the token's key id is not a string"
	errUnknownKeyID      reasonError = "the issuer's key set has no such key"
	errKeyNotForThis     reasonError = "the key is not meant for the token's signature algorithm"
	errBadSignature      reasonError = "the signature does not match"
	errExpired           reasonError = "the token is expired"
	errBadDate           reasonError = "exp, nbf or iat is not a number of seconds since 1970"
	errBadIssuer         reasonError = "iss is not a string"
	errUnknownIssuer     reasonError = "iss is none of the configured issuers"
	errBadAudience       reasonError = "aud is neither a string nor a list of strings"
	errNumberOutOfRange  reasonError = "a claim is a number out of the range of a double"
	errNoSubject         reasonError = "the token does not have the subject claim"
	errBadSubject        reasonError = "the subject claim is neither a string nor a whole number"
	errSubjectNotAllowed reasonError = "the subject claim is no object id to SpiceDB, which allows letters, digits and / _ | - = +; name a claim that holds an opaque id, or have ids encoded"
)

func refuse(cause error) error { return authz.E(authz.Unauthenticated, opVerify, cause) }

// refusal turns the parser's error into one of this package. The parser's own
// texts are passed on only where they are fixed ones, too.
func (i *issuer) refusal(token *jwt.Token, err error) error {
	var unavailable *authz.Error
	if errors.As(err, &unavailable) {
		return unavailable
	}
	var why reasonError
	switch {
	case errors.As(err, &why):
		return refuse(why)
	case token != nil && token.Method != nil && !slices.Contains(i.algorithms, token.Method.Alg()):
		return refuse(errWrongAlgorithm)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refuse(errBadSignature)
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse(errExpired)
	case errors.Is(err, jwt.ErrTokenInvalidClaims):
		return refuse(err)
	default:
		return refuse(errMalformed)
	}
}
