package electric

// Fence says which transactions a snapshot has seen, as Postgres says it: xmin, xmax
// and xip_list of pg_current_snapshot().
type Fence struct {
	max     uint32
	running []uint32 // when it was taken
}

// Fence reads which transactions the snapshot has seen. It returns false for what is
// not of Postgres' form.
func (m *Metadata) Fence() (s Fence, ok bool) {
	if s.max, ok = xid(m.XMax); !ok {
		return s, false
	}
	for id := range elements(m.XIPList) {
		x, ok := xid(id)
		if !ok {
			return s, false
		}
		s.running = append(s.running, x)
	}
	return s, true
}

// SeenBy reports whether whatever the message tells of is in a snapshot already: all
// its transactions had committed before it was taken. A message that names none is
// not known to be.
func (m *Message) SeenBy(s *Fence) bool {
	seen := false
	members(m.headers, func(f member) bool {
		if !stringIs(f.name, "txids") {
			return true
		}
		for id := range elements(f.value) {
			x, ok := xid(id)
			if seen = ok && s.has(x); !seen {
				break
			}
		}
		return false
	})
	return seen
}

// Newest returns a transaction id that none of those which the snapshot has seen comes
// after.
func (s *Fence) Newest() TxID { return TxID(s.max) }

// TxID is a transaction's id as messages have it.
type TxID uint32

// Before reports whether an id was given out before another, as Postgres tells it: ids
// are 32 bits that wrap around, so that "before" means half of the circle.
func (x TxID) Before(y TxID) bool { return int32(x-y) < 0 } //nolint:gosec // it wraps around

// OldestTxID returns the oldest of the transactions that the message tells of. It
// returns false if the message names none.
func (m *Message) OldestTxID() (oldest TxID, ok bool) {
	members(m.headers, func(f member) bool {
		if !stringIs(f.name, "txids") {
			return true
		}
		for text := range elements(f.value) {
			if x, is := xid(text); is && (!ok || TxID(x).Before(oldest)) {
				oldest, ok = TxID(x), true
			}
		}
		return false
	})
	return oldest, ok
}

func (s *Fence) has(x uint32) bool {
	if !TxID(x).Before(TxID(s.max)) {
		return false
	}
	for _, r := range s.running {
		if r == x {
			return false
		}
	}
	return true
}

// xid reads a transaction id, a number or a string with one in it. Snapshots put an
// epoch in front, messages do not: what they share is the lower half.
func xid(value []byte) (uint32, bool) {
	n, ok := number(value)
	return uint32(n), ok //nolint:gosec // the lower half is meant
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
