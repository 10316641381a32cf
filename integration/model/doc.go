// Package model holds the proof that clients end with exactly the rows that they may
// see, and receive nothing else on the way: random interleavings of row changes,
// changes of grants, reads of every kind, broken answers, restarts and replicas,
// against a simple oracle. It has tests only.
package model
