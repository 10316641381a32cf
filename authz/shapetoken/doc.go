// Package shapetoken makes and reads the tokens that the gatekeeper gives out: JSON Web
// Tokens (RFC 7519) that are good for one shape of one subject, for some minutes.
//
// An Authority signs a Token with the first key of a KeySet, and verifies with all of them.
// A KeyFile is a file of private keys that is read again when it changes. Only EdDSA
// (Ed25519) and ES256 (P-256) are used: whoever verifies a token, an edge for example, needs
// no secret.
//
// A token says who asks and for what. It grants nothing: each request with it is decided by
// SpiceDB, as the request was that it was given out for. So the subject goes into it as a
// whole, and of the credentials' claims those that the shape's caveat context needs.
//
// What must not live here: HTTP, the shape definitions (package schema), and permissions.
package shapetoken
