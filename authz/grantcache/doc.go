// Package grantcache answers who may see what from lookups and checks that it keeps
// current with SpiceDB's Watch API.
//
// A reader subscribes to a question: a subject and a rule. The question is a query,
// shared by everybody who asks the same. It depends on entries, each the cached answer
// of one LookupResources (a filter) or one check (a gate, an unrestricted requirement),
// shared by queries too. Queries and entries live in shards, by subject; a shard's lock
// is held for a short time and never while SpiceDB is asked.
//
// The watcher reads one Watch stream. From the schema (DependentRelations) it knows
// which relationships a permission rests on, so that an update touches the entries that
// it may concern and no others:
//
//	document:d1#viewer@user:alice         alice's entries, asked about d1 alone
//	document:d1#project@project:p1        all entries of document#view: one LookupSubjects of d1
//	group:g1#member@user:alice            alice's entries, looked up again
//	group:g1#member@group:g2#member       all entries of document#view, looked up again
//
// A touched entry is not used until the refresher has asked again. Each touch has a
// number, drawn from one counter; a call covers every touch whose number was drawn
// before the call began.
//
// Freshness says whether entries may be used at all. A heartbeat is written to SpiceDB
// each second. When the watch brings it back, everything that was written before it has
// been heard of. If the last such heartbeat is older than the staleness bound, each
// decision is asked for anew at full consistency; if SpiceDB does not answer, there is no
// decision.
//
// "Full consistency" shares one look at the head revision among calls of the same few
// milliseconds, so a call that begins right after a write may lack it. An entry that was
// touched less than 100 ms before its call began is asked once more, 100 ms later. No
// decision waits for that.
//
// What does not belong here: HTTP, rows and shapes (package proxy), SpiceDB's own types
// (package spicedb).
package grantcache
