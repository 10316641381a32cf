// Package live keeps decisions current: it answers who may see what from grants
// that it looked up once and has kept up to date since, and tells whoever waits
// when an answer changes, and by what.
//
// A Keeper watches SpiceDB. For each permission that somebody asks about it knows,
// from the schema, which relationships the permission rests on and whom a change
// of one can concern; a change asks again for those answers alone, and for the
// one object where that is enough. Whoever reads a shape holds a Lease, which
// decides, says when to decide again, and how the decision differs from an
// earlier one.
//
// Nothing is decided from grants that may be older than the staleness bound. As
// long as the watch cannot be shown to be current, every decision is asked for
// anew, at full consistency; if SpiceDB does not answer, there is none.
//
// What must not live here: HTTP, rows and shapes (package proxy), and SpiceDB's
// own types (package spicedb).
package live
