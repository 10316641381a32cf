package session

import (
	"context"

	"github.com/shapegate/shapegate/authz"
)

// Reference names a session, and is of no use in the place of its token: whoever has it can
// find out neither the token nor what the session is allowed. It stands in credentials that
// were got with the session and are to end with it.
type Reference string

// ReferenceTo returns the reference to the session of a token; empty if the token is
// malformed.
func ReferenceTo(token string) Reference {
	key, ok := keyOf(token)
	if !ok {
		return ""
	}
	return Reference(tokenEncoding.EncodeToString(append(key.Subject[:], key.Token[:]...)))
}

// keyOfReference returns the key of the session that a reference names, and reports false for
// what ReferenceTo cannot have made.
func keyOfReference(r Reference) (key Key, ok bool) {
	raw, err := tokenEncoding.DecodeString(string(r))
	if err != nil || len(raw) != len(key.Subject)+len(key.Token) || tokenEncoding.EncodeToString(raw) != string(r) {
		return key, false
	}
	copy(key.Subject[:], raw)
	copy(key.Token[:], raw[len(key.Subject):])
	return key, true
}

// GetReferred is Get for a reference.
func (m *Manager) GetReferred(ctx context.Context, r Reference) (Session, error) {
	key, ok := keyOfReference(r)
	if !ok {
		return Session{}, authz.E(authz.Unauthenticated, opGet, errMalformed)
	}
	return m.get(ctx, key)
}

// WatchReferred is Watch for a reference.
func (m *Manager) WatchReferred(r Reference, ended func()) (stop func()) {
	key, ok := keyOfReference(r)
	if !ok {
		ended()
		return func() {}
	}
	return m.cache.watch(key, ended)
}
