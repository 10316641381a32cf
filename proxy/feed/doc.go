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
package feed
