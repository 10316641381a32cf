// Package identity finds the subject of a request in a JSON Web Token (RFC 7519).
//
// A Verifier checks a token's signature, times, issuer and audience, and turns
// one of its claims into a SpiceDB subject. Keys are either one shared secret
// (HS256) or the issuer's published key set (JWKS, RFC 7517), never both, so
// that a public key can never be taken for a secret. The URL of the key set may be
// discovered (OpenID Connect Discovery 1.0).
//
// Of several issuers each has its own keys, audience and subjects. What a token says of
// its issuer picks them, and is then held against them: the keys of one issuer verify no
// token of another, and two issuers give no common id unless both configurations say so.
// The README of this directory has the settings for products.
//
// The subject's id is the value of one claim, as it stands: "sub" by default.
// It must consist of the characters that SpiceDB allows in object ids, letters,
// digits and / _ | - = +, so "auth0|5f7c8e" is an id and "ann@example.com" is
// none. Unless SubjectIDs says so, nothing is escaped on the way: what the application
// writes in its relationships is what stands in the token. Where "sub" is
// an e-mail address, name a claim that holds an opaque id instead
// (Config.SubjectClaim); addresses also change hands, ids do not.
//
// What must not live here: HTTP requests and where in them a token was found
// (package proxy), sessions (package session), and permissions of any kind. A
// claim never grants anything; it only names a subject, and may be the source of
// caveat context.
package identity
