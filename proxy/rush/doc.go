// Package rush puts off what can wait while many readers are answered at the same moment.
//
// A message may concern ten thousand readers who wait, and so may a change of grants. Each is
// answered, and each client comes back at once for more. Left to themselves, those who come
// back take half the time of those who were not answered yet:
//
//	woken       1 2 3 4 5 6 7 8 …
//	answered      1   2   3   4   5 …
//	come back       1   2   3   4 …      what the readers after 4 wait for
//
// So requests that are about to wait themselves give way until all are answered, or for a
// second: Rushes.GiveWay. And when they are back, the garbage of the answers is collected,
// before the next message: see garbage.
//
// The package knows nothing of requests. Who wakes readers says how many, and who answers
// them says when that is done.
package rush
