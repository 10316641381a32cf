// Package backend is the server side of the demo app: sign-in, rows and relationships,
// over HTTP under /demo/. The browser never talks to SpiceDB or to the tables.
//
// It is an example for the one hard part of such a backend: a change that needs a write
// in two places.
//
// # Two writes
//
// A new document needs a row in Postgres, and in SpiceDB the relationship that puts it
// into its project. No transaction spans both. The process may die between the two
// writes, either may fail, and either may be done although its answer is lost. So there
// must be a first write that is enough to know what the second has to be.
//
// Here the row is first, and in its own transaction a mark: "the relationships of this
// document are due". (This is the outbox pattern. The mark has no copy of the
// relationship: it names the document, and the row says the rest.) When that has
// committed, the request settles the mark: it reads the row, has SpiceDB's relationship
// agree with it, and drops the mark. A mark that is left behind is settled by Run, in
// this process or another, within seconds.
//
// What follows for each way in which it can go wrong:
//
//   - The row fails. Nothing has happened, and nobody sees anything. The person tries
//     again.
//   - The process dies between the two, or SpiceDB does not answer. The row and its mark
//     are there. Nobody but the workspace's administrators sees the row, its author
//     included, since no relationship lets them: too few see it, never too many. The
//     answer is 202 with "pending": the row is kept, and shows when Run has settled the
//     mark.
//   - The relationship is written, and the mark stays (the process dies, Postgres fails).
//     Run settles it once more, which changes nothing.
//   - The answer is lost. The browser has made the document's id, and sends the same
//     request with the same id again: it gets the first answer's txid, and no second row.
//   - Somebody sends an id that exists. The row decides: its primary key admits one. The
//     relationship is not written unless the row was.
//
// # Why the row is first
//
// With the relationship first, a crash leaves a relationship without a row. That looks
// harmless, and is not. Ids come from browsers: whoever sends the id of somebody else's
// document would put it into a project of their own, and read it, before the row fails.
// And whoever later uses an id that was left behind would share their row with
// strangers. The row's primary key has to decide who owns an id, so the row is first.
// For the same reason an id is never used twice: a backend that deletes rows has to keep
// their ids, or to remove every relationship of the id before it is free again.
//
// # A move
//
// A move changes the row's project, and then the relationship, in one write of SpiceDB's
// that removes the old one and adds the new one: no moment has both or neither. Until it
// is written, the people of the old project see the document still, as they did a moment
// before, and those of the new project not yet. Where they may not, not even for that
// moment, take the old relationship away first, then move the row, then add the new one:
// in between, nobody sees the document.
//
// Two moves of one document can overtake each other. So settling does not replay them. It
// looks at the row, under a lock that only one settler of the document has at a time, and
// writes what the row says now. And a write of SpiceDB's that was given up may still
// arrive, after a newer one: each is made on the precondition that the relationships are
// still those that were read, so a late one does nothing.
//
// # One write
//
// To share a document, to ban somebody and to join a group change relationships alone: one
// write, which is done or not, and which may be repeated. There is nothing to repair. The
// check that the person may share it and the write are two calls: the write has the
// precondition that the document is still in the project that it was in before the check.
//
// An edit changes the row alone.
//
// # Who may
//
// Each request is checked here, with the permissions that the page shows its buttons by. The
// page reads them from shapegate as rows (/v1/grants/document_actions), so that a button comes
// and goes with a relationship. That is for the eye: a browser can send what it shows no
// button for, and a permission can go while its button is being pressed.
//
// # txid and ZedToken
//
// Each answer has the transaction id of its row and the ZedToken of its relationships. The
// browser waits for the txid in the shape's log, and then drops its optimistic row. Who is
// to read at once what was shared sends the ZedToken along, as
// Shapegate-At-Least-As-Fresh.
package backend
