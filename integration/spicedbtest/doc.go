// Package spicedbtest runs the real SpiceDB engine inside this process, on its
// in-memory datastore: for tests, and for a first look at shapegate with nothing
// installed.
//
// Server is one engine with its own data. It answers in process, over a
// connection that never leaves memory, and on a TCP address if one is asked for,
// with a preshared key as any SpiceDB server. Its connections can be broken or
// fall silent, and it can be away for a while and come back with its data, which
// is what the users of a SpiceDB server have to live with.
//
// ValidationFile is SpiceDB's own file format for a schema, relationships and
// what must be true of them; RunValidationFile is a test of such a file.
//
// Nothing here imitates SpiceDB. What is missing from a deployed server is what
// the in-memory datastore lacks: durability, and several nodes. Only tests and
// cmd/shapegate-dev may import this package, since it links the whole server.
package spicedbtest
