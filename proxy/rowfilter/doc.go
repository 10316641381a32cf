// Package rowfilter says what one reader is sent of a log, and of a snapshot.
//
// A Filter is made of the grants that the reader has now, the grants that its cursor
// names, and the snapshots that its cursor has not passed. For each message of the log it
// gives the message's fate: sent as it is, sent as an insert, turned into a delete, or
// not sent. A Resync says which rows go and which come when grants have changed.
//
// A message is late if a snapshot that the reader was given has seen it already:
// Electric's log runs a little behind the table. Of a row that the snapshot brought, a
// late message has the past, which may be from before a grant:
//
//	t1  update d1 title="draft"       written, before anybody may see d1
//	t2  update d1 title="clean"       written
//	t3  d1 is granted to alice        snapshot: insert d1 title="clean"
//	t4  the log brings t1 and t2      late: not sent
//
// What a late message takes away, it does not take away by itself: the row may have come
// back before the snapshot. Its key is noted, and the present state of the row is asked for
// (AskAgain, then Present).
//
// A row is sent if one id that reaches it was granted all the time: it is granted today, was
// served, was not taken away in between, and was kept through every snapshot that has seen
// the message. What an id reaches that was gained comes with a resync, as it is now.
//
// The model in this package's tests has a table, a log that lags, grants that change, two
// replicas and a client that loses answers; go test -model.runs=1000 -model.seed=1 looks
// for what its fixed seeds do not find.
//
// The package is pure: no I/O, no clock, no HTTP. Grants come in as values; who decided
// them, and when, is the caller's business.
package rowfilter
