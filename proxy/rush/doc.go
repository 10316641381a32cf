// Package rush delays what can wait while many readers are answered at the same moment.
//
// One message, or one change of grants, can concern ten thousand waiting readers. Each is
// answered, and each client comes back at once for more. Those who come back would use half
// of the CPU time that the others still need. The numbers are readers, and time goes to the
// right:
//
//	woken       1 2 3 4 5 6 7 8 …
//	answered      1   2   3   4   5 …
//	back            1   2   3   4 …      reader 5 waits for these, too
//
// So a new long-poll first waits until all are answered, for a second at most: see
// Rushes.GiveWay. And 250 ms after the last rush the garbage of the answers is collected, if
// no other rush has begun: see garbage.
//
// The package knows nothing of requests. Who wakes readers says how many, and who answers
// them says when that is done.
package rush
