package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// tokenPrefix tells session tokens from others, at a glance and to secret
// scanners. A JSON Web Token cannot begin with it, since that begins with the
// base64 of "{".
const tokenPrefix = "sgs_"

// tokenBytes is the size of a token's random part: 256 bits, which nobody can
// guess however many sessions there are.
const tokenBytes = 32

var tokenEncoding = base64.RawURLEncoding.Strict()

func newToken() string {
	var random [tokenBytes]byte
	_, _ = rand.Read(random[:]) // never fails; crypto/rand ends the program instead
	return tokenPrefix + tokenEncoding.EncodeToString(random[:])
}

// LooksLikeToken reports whether s is meant as a session token rather than as a
// JSON Web Token. It says nothing about whether there is such a session.
func LooksLikeToken(s string) bool { return strings.HasPrefix(s, tokenPrefix) }

// tokenID returns the key of the token's session. It reports false for what
// newToken can not have made, which need not be looked up.
func tokenID(token string) (id [sha256.Size]byte, ok bool) {
	if len(token) != len(tokenPrefix)+tokenEncoding.EncodedLen(tokenBytes) || !LooksLikeToken(token) {
		return id, false
	}
	// Even strict decoding skips line breaks, hence the second look at the length.
	random, err := tokenEncoding.DecodeString(token[len(tokenPrefix):])
	if err != nil || len(random) != tokenBytes {
		return id, false
	}
	return sha256.Sum256([]byte(token)), true
}
