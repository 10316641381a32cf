// Package grantcache answers who may see what from lookups and checks that it keeps
// current with SpiceDB's Watch API.
//
// A reader subscribes to a question: a subject and a rule. The question is a query,
// shared by everybody who asks the same. It depends on entries, each the cached answer
// of one LookupResources (a filter) or one check (a gate, an unrestricted requirement),
// shared by queries too. Queries and entries live in shards, by subject; a shard's lock
// is held for a short time and never while SpiceDB is asked.
//
// # What the watch brings
//
// The watcher reads one Watch stream. From the schema (DependentRelations) it knows
// which relationships a permission rests on. A plan says whom the updates of one event
// may concern, and no others are touched:
//
//	document:d1#viewer@user:alice         alice's entries, asked about d1 alone
//	document:d1#project@project:p1        all entries of document#view: one LookupSubjects of d1
//	group:g1#member@user:alice            alice's entries, looked up again
//	group:g1#member@group:g2#member       all entries of document#view, looked up again
//
// The toucher notes it in the entries. A touched entry is not used until SpiceDB was asked
// again. Each touch has a number, drawn from one counter; a call covers every touch whose
// number was drawn before the call began (heard).
//
// # What is asked of SpiceDB
//
// The debouncer says when a touched entry is asked for, the queue what comes first, the
// scheduler how many calls are under way and, with the outage, what fails at once while
// SpiceDB is away. The asker makes the calls through the client. The settler puts an
// answer into its entry; the outcomes wake readers and ask for what is still open; losses
// are what an answer or the watch took away (interrupt.go).
//
// "Full consistency" shares one look at the head revision among calls of the same few
// milliseconds, so a call that begins right after a write may lack it. An entry that was
// touched less than 100 ms before its call began is asked once more, 100 ms later
// (rechecks). No decision waits for that.
//
// # What a reader is told
//
// Freshness says whether entries may be used at all. A heartbeat is written to SpiceDB
// each second. When the watch brings it back, everything that was written before it has
// been heard of. If the last such heartbeat is older than the staleness bound, each
// decision is asked for anew at full consistency; if SpiceDB does not answer, there is no
// decision.
//
// The decider composes decisions from entries, and waits for those that may not be used
// (tickets). A decision says what it knows of: all that was written before a time, and by
// name what was lost since (moment.go). The recaller finds the grants of a fingerprint:
// those that are remembered, or SpiceDB's at an exact revision. The confirmer asks whether
// grants are still held. What one subject forces is bounded (forced), and so is what is
// kept (space, remembered, losses).
//
// # Where code goes
//
// A type has one idea and a small file, and holds the parts that it needs and never the
// cache: New alone knows all of them. What is decided of states and times (plan, heard,
// queue, outage, freshness, position, answers, recent, findings) asks nobody, and is tested by
// tables. Locks are taken in one order: a shard's, then that of rechecks, the scheduler's,
// the tasks'.
//
// What does not belong here: HTTP, rows and shapes (package proxy), SpiceDB's own types
// (package spicedb).
package grantcache
