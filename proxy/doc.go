// Package proxy serves authorized shapes over HTTP, in Electric's protocol.
//
// A Handler answers each request for a shape in the same order: parse, authenticate,
// limit, authorize, read, filter and write. The parts of a request are values of their
// own: a request (what the client asks), an access (who asks, and the subscription to
// what they may see), a source (the feed and the snapshots that rows come from) and a
// client (what the client holds, by its handle). An exchange has all four. Each kind of
// answer is one file: initial.go, catchup.go, longpoll.go, events.go, subset.go, and
// resync.go for what the first four have in common when grants have changed.
//
// What a client holds is in its handle, and nowhere else: see package proxy/cursor. What
// it is sent of a message or a row is decided in package proxy/rowfilter. The log itself
// is read once for all readers, in package proxy/feed, and what a client may ask of a
// subset is read in package proxy/subset. PROTOCOL.md has all of it with examples.
//
// Two rules hold everywhere. What is sent to Electric is built from the shape definition
// and from client input that was parsed and found on an allow-list; nothing is forwarded
// because it was sent. And what is sent to a client passed the row filter, row by row,
// even where the query was already made for that client.
//
// No type of SpiceDB appears here: the package speaks to authz in the domain's words, and
// to Electric through package proxy/electric.
package proxy
