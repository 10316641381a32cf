// Package authz decides who may see what, in the words of SpiceDB: a subject,
// the permissions it must hold, and the object ids those permissions reach.
//
// It is the domain. It knows nothing of HTTP, of Electric or of SQL; what a
// decision means for rows is package proxy's business. Its adapters are named
// for their technology and live below it: authz/spicedb asks a SpiceDB server
// over gRPC, authz/identity reads JSON Web Tokens, authz/session keeps sessions
// in Redis. Package authz/grantcache decides, and keeps what it decided current.
// Package authz/explain says why.
//
// Everything here fails closed: an answer that did not come, came in part, or
// came with a condition that could not be evaluated, permits nothing.
package authz
