// Package feed reads each log of Electric once for all its readers.
//
// A Feed follows one log with one live request. It decodes each message once and keeps the
// newest part of the log in memory, the window. A reader reads the messages after its own
// position, or waits for the next ones. A waiting reader is woken only by a message that
// concerns its grants.
//
// Readers with equal grants form a Cohort. A change is encoded once for a cohort, and all
// its readers send the same bytes.
//
// Feeds holds the feeds of a process. It starts a feed for its first reader, ends it when
// it has been idle for a while, and bounds their number and memory.
//
// The package does not decide who may see a row. A cohort comes with a View, which decides
// when its readers are woken, and an Encoder, which decides what they are sent. The caller
// must make sure that both are current before it sends anything. The package speaks HTTP
// to Electric only, never to clients.
//
// # Parts
//
// A Feed is who uses a log, and ties three parts together. Each has one task:
//
//   - upstreamLog asks Electric and decodes its answers. It keeps nothing.
//   - follower is the goroutine that asks again and again. Its retry decides what an
//     answer or an error means, and how long to pause. Nothing else decides that.
//   - tail is what all share: the newest messages and those who wait for more, under one
//     lock. It never asks Electric.
//
// The tail consists of types without a lock, goroutine or I/O, which can be read and
// tested alone:
//
//   - link: how the feed stands with Electric, and whether the log can be read
//   - window: the messages in memory, in batches, and where the log ends
//   - former: the handles of logs that are gone
//   - cohorts: the cohorts, their index by granted ids, and the answers that they share
//   - waiters: the waiting readers, and which of them a batch concerns
//
// A new piece of state belongs to the one of them whose idea it is, or is a type of its
// own. The tail only calls them, in one critical section.
//
// The columns hold what messages and grants have in common, the numbers of ids. They are
// shared without a lock. An account counts bytes: windows and answers for their feed, and
// feeds for the budget of Feeds.
//
// A tail says how many readers a message wakes, and the part of each when its reader is
// answered: what can wait gives way to them, see package rush.
//
// Two locks exist: that of Feeds, for which feeds there are and who uses them, and that of
// each tail. They are locked in this order.
package feed
