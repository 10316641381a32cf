// Package service assembles a shapegate from its parts and runs it: two
// listeners, one for clients and one for operators, readiness, and an orderly
// end. Both binaries run what it assembles; they differ in where its parts come
// from.
package service
