package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/shapegate/shapegate/authz"
)

// tokenPrefix marks session tokens, at a glance and for secret scanners. A JSON Web Token cannot begin with it, since that begins with the
// base64 of "{".
const tokenPrefix = "sgs_"

// A token is subjectBytes that all sessions of its subject begin with, followed
// by randomBytes of randomness: 192 bits, which cannot be guessed however many
// sessions there are. The first part is a hash of the subject. It puts all
// sessions of one subject into the same slot of a Redis cluster, where one script
// can bound their number.
const (
	subjectBytes = 8
	randomBytes  = 24
	tokenBytes   = subjectBytes + randomBytes
)

var tokenEncoding = base64.RawURLEncoding.Strict()

func newToken(subject authz.ObjectRef) string {
	hash := sha256.Sum256([]byte(subject.String()))
	var token [tokenBytes]byte
	copy(token[:], hash[:subjectBytes])
	_, _ = rand.Read(token[subjectBytes:]) // never fails; crypto/rand ends the program instead
	return tokenPrefix + tokenEncoding.EncodeToString(token[:])
}

// LooksLikeToken reports whether s is meant as a session token rather than as a
// JSON Web Token. It says nothing about whether there is such a session.
func LooksLikeToken(s string) bool { return strings.HasPrefix(s, tokenPrefix) }

// keyOf returns the key of the token's session. It reports false for what
// newToken can not have made, which need not be looked up.
func keyOf(token string) (key Key, ok bool) {
	if len(token) != len(tokenPrefix)+tokenEncoding.EncodedLen(tokenBytes) || !LooksLikeToken(token) {
		return key, false
	}
	// Even strict decoding skips line breaks, hence the second look at the length.
	raw, err := tokenEncoding.DecodeString(token[len(tokenPrefix):])
	if err != nil || len(raw) != tokenBytes {
		return key, false
	}
	copy(key.Subject[:], raw)
	key.Token = sha256.Sum256([]byte(token))
	return key, true
}
