// Package spicedb asks a SpiceDB server, over gRPC, for what package authz needs
// to know.
//
// Client implements authz.Engine: checks and lookups at full consistency, the
// watch, the heartbeat that proves the watch current, and what a permission rests on.
// It also reads and writes schemas and relationships for the command line. SpiceDB's
// own types end here; callers speak authz's words and get authz's kinds of error.
//
// The server is another process and may be away, slow or restarting at
// any time. Reads are tried again where that is safe and within their time;
// writes are not, since one that got no answer may have been done. A lookup that
// loses its stream goes on from where it was, at the revision it began with. The
// watch is the caller's to resume, from the last token that it brought.
package spicedb
