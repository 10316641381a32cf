// Package cursor has the state of a client as a value: the sealed handle, and what it
// means together with the offset that comes with it.
//
// A client of Electric's protocol sends two things back with each request: a handle and
// an offset. The offset says how far it has read the log. Here, the handle says all the
// rest: which grants the client was served, which resyncs it may have, and which of them
// the log has not passed yet. No table in the process knows anything of a client. So any
// replica can answer the next request, and the same one after a restart.
//
// A handle looks like this, in base64 (RFC 4648, section 5, without padding):
//
//	nonce (9 bytes)   makes it unlike any other
//	seal (15 bytes)   a keyed hash of nonce, body, shape, subject and params
//	body              the encoded Cursor; its first byte is the version
//
// and its body, for a client that read the log of handle 3297964-1795463878298592 from
// offset 27065288_1 on, and was given a first snapshot which has seen all transactions
// before 805:
//
//	03                                version
//	18 "3297964-1795463878298592"     Upstream
//	0a "27065288_1"                   Base
//	80 a0 bc ad d3 fe 92 03           At: in microseconds since 1970,
//	   00                                and no losses that the decision knows of besides
//	01                                one step:
//	   01                                fresh: nothing was kept through it
//	   00                                no grants before it
//	   00                                no interrupted ids
//	   a5 06  00  00  f8 d7 f5 0c        the fence: xmax 805, xmax-xmin 0, no xip_list, LSN 27094008
//	   80 a0 bc ad d3 fe 92 03           when its grants were decided
//	00                                nothing is pending
//	a1 5f 00 … 00 (16 bytes)          Served: the fingerprint,
//	   01                                one filter,
//	   14 "GhUKEzE3OTU0NjM4Nzk="         and the revision of its set
//
// The package is pure: it does no I/O, and knows no clock but a parameter. It must not
// know what a row is (package rowfilter), nor speak to Electric or SpiceDB.
package cursor
