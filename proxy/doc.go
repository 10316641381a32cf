// Package proxy serves authorized shapes over HTTP, in Electric's protocol.
//
// A Handler answers every request in the same three steps: who asks (a JWT or a
// session), may they (a lease on a question to package authz, decided anew each
// time), and what may they see (a visibility: a value that says of one row whether
// it may be sent). Clients read a log that belongs to them: what the shape's feed
// holds of rows they may see, and nothing else. The feed is one for all who read the
// same of Electric, and wakes who waits; see package proxy/feed.
//
// What they may see changes while they read. A handle names the grants that its
// client was served; where they are others now, the answer tells the difference (a
// delta): the part of the log that was theirs all the time (a window), the rows
// that went, and those that came, as they are.
//
// Two rules hold everywhere in this package. What is sent to Electric is built
// from the shape definition and from client input that was parsed and found on
// an allow-list; nothing is forwarded because it was sent. And what is sent to a
// client passed a visibility, row by row, even where the query was already made
// for that client.
//
// No type of SpiceDB appears here: the package speaks to authz in the domain's
// words, and to Electric through package proxy/electric. What a client may ask
// of a subset is read in proxy/subset.
package proxy
