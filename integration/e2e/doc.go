// Package e2e holds the end-to-end tests: the real JavaScript clients,
// @electric-sql/client and TanStack DB, against every part of shapegate.
//
// The promises are in the *.test.mjs files, one in each test, and are kept or
// broken in a Node process. The Go test beside them starts the parts (the real
// SpiceDB engine, a Redis server, the Electric stand-in, the proxy), runs the
// scripts, and serves them what a test needs to know and to do that no client
// could. There is nothing here to import.
package e2e
