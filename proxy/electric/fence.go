package electric

import "slices"

// Fence is the snapshot fence: which transactions a snapshot has seen, as Postgres says
// it with pg_current_snapshot(), and where the write-ahead log ended when the snapshot
// was taken.
//
// Electric puts it into the metadata of a subset (recording 06):
//
//	{"xmin":"805","xmax":"807","xip_list":["805"],"database_lsn":"27094072"}
//
// This snapshot has seen every transaction before 807 but 805, which was in progress.
type Fence struct {
	xmin, xmax uint64
	xip        []uint64
	lsn        uint64
}

// NewFence returns a fence of the values that Postgres names. lsn is 0 if it is not known.
func NewFence(xmin, xmax uint64, xip []uint64, lsn uint64) Fence {
	return Fence{xmin: xmin, xmax: xmax, xip: xip, lsn: lsn}
}

// XMin returns the oldest transaction that was in progress.
func (f *Fence) XMin() uint64 { return f.xmin }

// XMax returns the first transaction id that had not been given out.
func (f *Fence) XMax() uint64 { return f.xmax }

// XIP returns the transactions that were in progress. It must not be changed.
func (f *Fence) XIP() []uint64 { return f.xip }

// LSN returns where the write-ahead log ended, or 0 if that is not known.
func (f *Fence) LSN() uint64 { return f.lsn }

// Fence reads the fence of the snapshot. It returns false for what is not of Postgres'
// form.
func (m *Metadata) Fence() (f Fence, ok bool) {
	if f.xmax, ok = number(m.XMax); !ok {
		return f, false
	}
	if f.xmin, ok = number(m.XMin); !ok {
		return f, false
	}
	for text := range elements(m.XIPList) {
		x, ok := number(text)
		if !ok {
			return f, false
		}
		f.xip = append(f.xip, x)
	}
	members(m.Raw, func(e member) bool {
		if stringIs(e.name, "database_lsn") {
			f.lsn, _ = number(e.value)
		}
		return true
	})
	return f, true
}

// SeenBy reports whether the snapshot has seen what the message says: all transactions
// of the message had committed before the snapshot was taken. A message that names no
// transaction is not known to be seen.
func (m *Message) SeenBy(f *Fence) bool {
	seen := false
	members(m.headers, func(e member) bool {
		if !stringIs(e.name, "txids") {
			return true
		}
		for text := range elements(e.value) {
			x, ok := number(text)
			if seen = ok && f.has(TxID(x)); !seen { //nolint:gosec // the lower half is meant
				break
			}
		}
		return false
	})
	return seen
}

// Newest returns a transaction id that none of those which the snapshot has seen comes
// after.
func (f *Fence) Newest() TxID { return TxID(f.xmax) } //nolint:gosec // the lower half is meant

// TxID is a transaction's id as messages have it: the lower 32 bits. Snapshots put an
// epoch in front.
type TxID uint32

// Before reports whether an id was given out before another, as Postgres tells it: ids
// wrap around, so that "before" means half of the circle.
func (x TxID) Before(y TxID) bool { return int32(x-y) < 0 } //nolint:gosec // it wraps around

// OldestTxID returns the oldest transaction of the message. It returns false if the
// message names none.
func (m *Message) OldestTxID() (oldest TxID, ok bool) {
	members(m.headers, func(e member) bool {
		if !stringIs(e.name, "txids") {
			return true
		}
		for text := range elements(e.value) {
			n, is := number(text)
			if x := TxID(n); is && (!ok || x.Before(oldest)) { //nolint:gosec // the lower half is meant
				oldest, ok = x, true
			}
		}
		return false
	})
	return oldest, ok
}

func (f *Fence) has(x TxID) bool {
	return x.Before(f.Newest()) && !slices.ContainsFunc(f.xip, func(r uint64) bool { return TxID(r) == x }) //nolint:gosec // the lower half is meant
}

// elements yields the elements of a JSON array of numbers and strings.
func elements(array []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		i := skipSpace(array, 0)
		if i >= len(array) || array[i] != '[' {
			return
		}
		for i = skipSpace(array, i+1); i < len(array) && array[i] != ']'; {
			end := skipValue(array, i)
			if end == i || !yield(array[i:end]) {
				return
			}
			if i = skipSpace(array, end); i < len(array) && array[i] == ',' {
				i = skipSpace(array, i+1)
			}
		}
	}
}
