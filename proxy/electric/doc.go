// Package electric is a client of the HTTP API of an Electric sync service. It reads the
// log of a shape (GET) and takes subset snapshots of it (POST).
//
// A LogSpec identifies a log: table, where, columns, replica. The caller makes it from a
// shape definition, and every upstream request is built from it. Nothing that a client
// sent is forwarded: in Electric, the members of a POST body override the URL, table and
// main where included (recording 08).
//
// The package decides nothing about who may see a row. What it returns differs from what
// Electric sent in one point: all keys of rows are spelled as subsets spell them, also
// those of partitions and of names with . or / (see spelling.go). So two keys are of the
// same row if they are equal.
//
// Readers of answers parse each message once, in a buffer of their own. An answer that
// ends early is an error, never a shorter answer.
//
// Numbered recordings are exchanges with Electric 1.7.12, in
// integration/electrictest/testdata/recordings.
package electric
