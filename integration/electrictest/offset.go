package electrictest

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// offset is a place in a shape's log: the LSN of a transaction and the position
// of an operation in it. LSN 0 stands for the snapshot, whose chunks are 0_0,
// 0_1, …; 0_inf is its end.
type offset struct {
	lsn int64
	op  int64
}

const opInf = math.MaxInt64

var (
	beforeAll   = offset{lsn: -1}           // "-1": all of the log comes after it
	snapshotEnd = offset{lsn: 0, op: opInf} // where the log of a new shape stands
)

func (o offset) compare(p offset) int {
	return cmp.Or(cmp.Compare(o.lsn, p.lsn), cmp.Compare(o.op, p.op))
}

func (o offset) less(p offset) bool { return o.compare(p) < 0 }

// inSnapshot reports whether o names a chunk of the snapshot, before its end.
func (o offset) inSnapshot() bool { return o.lsn == 0 && o.op != opInf }

func (o offset) String() string {
	switch {
	case o.lsn < 0:
		return "-1"
	case o.op == opInf:
		return strconv.FormatInt(o.lsn, 10) + "_inf"
	default:
		return strconv.FormatInt(o.lsn, 10) + "_" + strconv.FormatInt(o.op, 10)
	}
}

// parseOffset reads an offset other than "now". It is as lenient as Electric,
// which takes leading zeros and signs.
func parseOffset(s string) (offset, bool) {
	if s == "-1" {
		return beforeAll, true
	}
	lsn, op, ok := strings.Cut(s, "_")
	if !ok {
		return offset{}, false
	}
	var o offset
	var err error
	if o.lsn, err = strconv.ParseInt(lsn, 10, 64); err != nil {
		return offset{}, false
	}
	if op == "inf" {
		o.op = opInf
	} else if o.op, err = strconv.ParseInt(op, 10, 64); err != nil {
		return offset{}, false
	}
	return o, o.lsn >= 0 && o.op >= 0
}
