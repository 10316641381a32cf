// Package proxy serves authorized shapes over HTTP, in Electric's protocol.
//
// A Handler answers each request for a shape in the same order: authenticate, limit, parse,
// authorize, read, filter and write. These are its parts, in that order:
//
//   - middleware (routes.go) is what every request passes: headers, metrics, logs, and the
//     answers to errors (problem.go). A body (body.go) is not read yet.
//   - server (server.go) is what all of the following have: who asks, and within which limits.
//     shapeServer (serve.go) takes a request for a shape through all that follows,
//     grantsServer (grants.go) one for a collection of grants, sessionServer (sessions.go) one
//     for a session, and gatekeeper (gatekeeper.go) one for a token.
//   - access is who asks, and the subscription to what they may see. It is made by the
//     authentication (credentials.go) and the limiter.
//   - request is what the client asks, parsed: logrequest.go, keys.go. A shapeRequest names a
//     shape, which is a definition (shape.go, question.go) and what Electric says of its
//     table (table.go), and what the client wants of it (narrow.go).
//   - source (source.go) is where messages and rows come from. That of a shape is a feed of
//     Electric's log (logsource.go) and snapshots, whose rows are brought by a plan of
//     requests at Electric (snapshots.go, plan.go, literals.go). Requests that ask for the
//     same few rows at the same time share a snapshot (sharedsnapshots.go, package flight).
//     That of a collection of grants has no messages, and its rows are what SpiceDB says
//     (grantssource.go, package permissions).
//   - client is what the client holds, by its handle. namedGrants are the grants that the
//     handle names, recalled.
//   - exchange has these, and chooses one of the kinds of answer: initialRead,
//     positionRead, storedRead, catchUp, longPoll, events (with a stream), subsetRead. Each
//     is a file. longPoll and events wait. Where one change wakes thousands of readers, new
//     ones of these are delayed until those are answered (package rush).
//   - logRead is a part of the log that was read for a client, with the decision made since.
//     logPart writes what of it is visible: through the filter, under a guard that decides
//     anew while the answer is written, confirmed in strict shapes (confirm.go), with the
//     rows that late messages take away (laterows.go). Readers with equal grants are most
//     often sent the same bytes.
//   - resync is what a client is sent in addition when its grants have changed: rowresync.go
//     of a shape, grantsresync.go of a collection. A comparison says which ids are lost and
//     gained. Readers with equal grants share it (comparison.go).
//   - verdict is the decision alone, for servers in front that ask Electric themselves:
//     forwarded.go, forwardauth.go, package extauthz.
//   - arrayWriter (answer.go), lazyArray and eventWriter write the bytes.
//
// A server in front of Electric may ask for a verdict alone (verdict.go, forwardauth.go): it
// is reached by the same steps up to the authorization (forwarded.go), and names the request
// at Electric.
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
