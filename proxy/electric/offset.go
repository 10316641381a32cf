package electric

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
)

// Offset is a position in the log of a shape: a transaction, and an operation in it.
//
// Electric writes it as "<lsn>_<operation>", where the operation "inf" is the end of the
// transaction. Two special values are no positions: "-1" is the time before the log, and
// "now" its present end.
type Offset struct {
	kind offsetKind
	lsn  uint64
	op   uint64 // opInf stands for "inf"
}

type offsetKind uint8

const (
	kindPosition offsetKind = iota
	kindBeforeAll
	kindNow
)

const opInf = ^uint64(0)

// The offsets that are not positions, and the first position of every log.
var (
	BeforeAll = Offset{kind: kindBeforeAll}
	Now       = Offset{kind: kindNow}
	Start     = Offset{}
)

var errOffset = errors.New(`not an offset: want "-1", "now" or "<number>_<number>"`)

// ParseOffset parses an offset as Electric writes it. Electric itself also accepts
// leading zeros and signs. They are refused here, so that an offset has one spelling.
func ParseOffset(s string) (Offset, error) {
	switch s {
	case "-1":
		return BeforeAll, nil
	case "now":
		return Now, nil
	}
	lsn, op, ok := strings.Cut(s, "_")
	if !ok {
		return Offset{}, errOffset
	}
	o := Offset{op: opInf}
	var err error
	if o.lsn, err = parseNumber(lsn); err != nil {
		return Offset{}, err
	}
	if op != "inf" {
		if o.op, err = parseNumber(op); err != nil {
			return Offset{}, err
		}
	}
	return o, nil
}

func parseNumber(s string) (uint64, error) {
	if s == "" || len(s) > 1 && s[0] == '0' || s[0] == '+' {
		return 0, errOffset
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, errOffset
	}
	return n, nil
}

// TransactionAt returns the first position of the transaction at an LSN.
func TransactionAt(lsn uint64) Offset { return Offset{lsn: lsn} }

// IsPosition reports whether o is a position in a log, and neither BeforeAll nor Now.
func (o Offset) IsPosition() bool { return o.kind == kindPosition }

// LSN returns the position of the transaction in the write-ahead log of Postgres. It is
// 0 within the snapshot that a log begins with.
func (o Offset) LSN() uint64 { return o.lsn }

// marks are the bits of an LSN that are always zero: what Postgres writes ahead is aligned
// to eight bytes (MAXALIGN), as all recordings have it. An event stream puts a mark into
// them, see package cursor.
const marks = 7

// Unmarked returns the position without a mark: one that Electric knows.
func (o Offset) Unmarked() Offset {
	if o.IsPosition() {
		o.lsn &^= marks
	}
	return o
}

// Marked returns an LSN with a mark. It comes right after the LSN itself.
func Marked(lsn uint64) uint64 { return lsn&^marks | 1 }

// Compare orders positions. BeforeAll comes before each of them, Now after.
func (o Offset) Compare(p Offset) int {
	if o.kind != p.kind {
		return cmp.Compare(o.rank(), p.rank())
	}
	return cmp.Or(cmp.Compare(o.lsn, p.lsn), cmp.Compare(o.op, p.op))
}

func (o Offset) rank() int {
	switch o.kind {
	case kindBeforeAll:
		return 0
	case kindNow:
		return 2
	default:
		return 1
	}
}

// String spells the offset as Electric does.
func (o Offset) String() string {
	switch {
	case o.kind == kindBeforeAll:
		return "-1"
	case o.kind == kindNow:
		return "now"
	case o.op == opInf:
		return strconv.FormatUint(o.lsn, 10) + "_inf"
	default:
		return strconv.FormatUint(o.lsn, 10) + "_" + strconv.FormatUint(o.op, 10)
	}
}
