package electric

// Fence says which transactions a snapshot has seen: what Postgres'
// pg_current_snapshot() said while it was taken, and where the write-ahead log was.
//
// Transaction ids are kept as Postgres says them: 64 bits, an epoch above the id. They
// are compared by their lower 32 bits, since the log's messages carry no epoch. The zero
// fence is of no snapshot: it has seen nothing.
type Fence struct {
	xmin, xmax uint64
	xip        []uint64
	lsn        uint64 // 0: not known
}

// NewFence returns the fence with these parts: every transaction before xmin had ended
// when the snapshot was taken, none from xmax on had begun, and those of xip were in
// progress. lsn is the position of the write-ahead log, or 0 if it is not known. The
// fence keeps xip.
func NewFence(xmin, xmax uint64, xip []uint64, lsn uint64) Fence {
	return Fence{xmin: xmin, xmax: xmax, xip: xip, lsn: lsn}
}

// XMin returns the oldest transaction id that was in progress.
func (s Fence) XMin() uint64 { return s.xmin }

// XMax returns the first transaction id that was not given out yet.
func (s Fence) XMax() uint64 { return s.xmax }

// XIP returns the transactions that were in progress. The caller must not change it.
func (s Fence) XIP() []uint64 { return s.xip }

// LSN returns the position of the write-ahead log, or 0 if it is not known.
func (s Fence) LSN() uint64 { return s.lsn }

// DatabaseLSN returns the position of the write-ahead log when the snapshot was taken,
// whatever had written it: unpublished tables and the server itself count. A log whose
// global_last_seen_lsn has reached it holds nothing that the snapshot has seen. It
// returns false if the metadata does not name one.
func (s Fence) DatabaseLSN() (uint64, bool) { return s.lsn, s.lsn != 0 }

// Fence returns which transactions the snapshot has seen. It returns false for metadata
// that is not of Postgres' form.
func (m *Metadata) Fence() (s Fence, ok bool) {
	if s.xmin, ok = number(m.XMin); !ok {
		return s, false
	}
	if s.xmax, ok = number(m.XMax); !ok {
		return s, false
	}
	for id := range elements(m.XIPList) {
		x, ok := number(id)
		if !ok {
			return s, false
		}
		s.xip = append(s.xip, x)
	}
	s.lsn, _ = number(m.DatabaseLSN)
	return s, true
}

// SeenBy reports whether a snapshot has seen all that the message is of: each of its
// transactions had committed before the snapshot was taken. It returns false for a
// message that names no transaction.
func (m *Message) SeenBy(s *Fence) bool {
	seen := false
	members(m.headers, func(f member) bool {
		if !stringIs(f.name, "txids") {
			return true
		}
		for id := range elements(f.value) {
			x, ok := number(id)
			if seen = ok && s.has(x); !seen {
				break
			}
		}
		return false
	})
	return seen
}

// Newest returns an upper bound: no transaction that the snapshot has seen has a later
// id.
func (s *Fence) Newest() TxID { return txID(s.xmax) }

// TxID is a transaction's id as the log's messages carry it: 32 bits, which wrap around.
type TxID uint32

// txID drops the epoch of an id.
func txID(x uint64) TxID { return TxID(x) } //nolint:gosec // the lower half is meant

// Before reports whether an id was given out before another. Ids wrap around, so that
// half of all ids come before any id, as in Postgres.
func (x TxID) Before(y TxID) bool { return int32(x-y) < 0 } //nolint:gosec // it wraps around

// OldestTxID returns the oldest transaction that the message names. It returns false if
// the message names none.
func (m *Message) OldestTxID() (oldest TxID, ok bool) {
	members(m.headers, func(f member) bool {
		if !stringIs(f.name, "txids") {
			return true
		}
		for text := range elements(f.value) {
			n, is := number(text)
			if x := txID(n); is && (!ok || x.Before(oldest)) {
				oldest, ok = x, true
			}
		}
		return false
	})
	return oldest, ok
}

// has reports whether a transaction had committed, or was rolled back, when the snapshot
// was taken.
func (s *Fence) has(x uint64) bool {
	if s.xmax == 0 || !txID(x).Before(txID(s.xmax)) {
		return false
	}
	for _, r := range s.xip {
		if txID(r) == txID(x) {
			return false
		}
	}
	return true
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
