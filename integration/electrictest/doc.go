// Package electrictest imitates Electric 1.7.12 over tables in memory: what the
// proxy's tests, its benchmarks and shapegate-dev run against where there is no
// Postgres.
//
// A Server is an http.Handler. It is made of three parts. Its Database is written with
// SQL (Database.Exec) or, faster, through a transaction (Database.Tx); each transaction
// appears in the logs of the shapes that it concerns. Transactions can overlap
// (Database.Begin), and the write-ahead log can move without a published write
// (Database.WriteUnpublished). A Front answers requests; its logs can lag behind the
// tables, and differently for two clients. Requests says what was asked, and lets a test
// write while requests wait.
//
// Server.Intercept makes requests fail, and CloseAfter closes connections without a word.
//
// It is held to testdata/recordings, recorded from Electric 1.7.12 or, from 14 on,
// written down from what was observed on it: a test replays every exchange and compares
// status, headers and body. Traps for a proxy are imitated too:
//
//   - keys of a POST body override the URL's, table and main where included
//     (recording 08);
//   - a main where with an OR at its top widens every subset, since Electric puts
//     it before " AND (…)" without parentheses;
//   - bool values are f and t in the log, and false and true in snapshots;
//   - the log spells the keys of partitions, and of names with . or /, in another way
//     than snapshots do (recordings 14 and 15).
//
// # What is not imitated
//
// HTTP: compression of answers; the content-type of a 304, which net/http does
// not send; header names are capitalized; 503 for too many requests at once;
// DELETE where shape deletion is allowed; read-only mode; Access-Control-Request-Headers;
// columns as a JSON list in a POST body.
//
// Shapes: subqueries in a main where, with their tags and move messages;
// compaction; shapes that expire; wheres that differ in white space alone, which
// are two shapes in Electric, are one here; adding a column to a table, which
// invalidates shapes.
//
// SQL in wheres: everything that Electric refuses is refused, length() among it.
// Of what it accepts, these are refused here: arrays of several dimensions, slices,
// || of arrays, dates and intervals in arithmetic, timezone, justify_*, powers and
// roots. An enum is any type that is not known here: its labels are not checked, and
// it is compared once it is cast to text. A numeric is compared as a float. NULLs
// follow SQL in the log as well, where Electric's own evaluation of
// = ANY does not. A value that a cast cannot convert, and a division by zero, are
// NULL; Postgres would fail.
//
// Tables: conflicts between transactions that overlap; partitions by hash, by several
// columns or of partitions, and shapes on or writes to a partition by its own name;
// generated columns. Constraints other than NOT NULL and the primary key are accepted
// and not checked. Text is ordered by its bytes (collation C). Snapshots come in the
// order of insertion. Intervals, inet and other rare types keep the text that they were
// written with; the order of electric-schema's attributes is fixed.
//
// Nothing of the proxy belongs in this package, and no production binary may
// import it.
package electrictest
