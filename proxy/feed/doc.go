// Package feed reads the logs of Electric once for everybody.
//
// A Feed follows one shape log with one live request, whoever and however many read
// it. It decodes each message once, keeps the newest part of the log in memory (its
// window), and wakes of those who wait only whom a message may concern. Readers that
// may see the same things are one Cohort, and share one encoded answer.
//
// Feeds is all the feeds of a process: it starts them with their first reader, stops
// them when they are idle, and keeps them within bounds of number and memory.
//
// Nothing here decides who may see what. An cohort brings its grants, by which it
// is woken, and an encoder, which says what it is sent; that both are current is for
// the caller to see to, before anything of an answer is sent. Nor does anything here
// speak to clients: there is no HTTP but Electric's.
package feed
