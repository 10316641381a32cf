// Package electric speaks the HTTP API of an Electric sync service: the log of a
// shape (GET) and subset snapshots of it (POST).
//
// It decides nothing about who may see what. Its callers give it a LogSpec, which
// they built from a shape definition, and it builds every upstream request from
// that LogSpec alone: no key, value or body of a client passes through here
// unseen. That matters because the keys of a POST body override the URL's in
// Electric, table and main where included (recording 08).
//
// Facts about Electric's answers come from recordings of Electric 1.7.12, kept
// in integration/electrictest/testdata/recordings.
package electric
