// Package session keeps short-lived sessions: opaque tokens that stand for a
// subject, so that a browser can hold a cookie instead of a JSON Web Token.
//
// A Manager makes, reads and ends sessions; a Store keeps them. The store is
// Redis, and sessions are the only thing that is ever kept there. Its key is the
// SHA-256 of the token, so that a reader of Redis learns who has sessions but
// cannot use one. Its value is the subject with its claims, and when the session
// was made and ends.
//
// A session never outlives the identity that it was made from, and ends on time
// even if the store keeps it for longer.
//
// What must not live here: HTTP and cookies (package proxy), the checking of
// JSON Web Tokens (package identity), and permissions or grants: they are asked
// for at every request and are never part of a session.
package session
