package electric

// Seen says which transactions a snapshot has seen, as Postgres says it: xmin, xmax
// and xip_list of pg_current_snapshot().
type Seen struct {
	max     uint32
	running []uint32 // when it was taken
}

// Seen reads which transactions the snapshot has seen. It returns false for what is
// not of Postgres' form.
func (m *Metadata) Seen() (s Seen, ok bool) {
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
func (m *Message) SeenBy(s *Seen) bool {
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

// has compares as Postgres does: ids are 32 bits that wrap around, so that "before"
// means half of the circle.
func (s *Seen) has(x uint32) bool {
	if int32(x-s.max) >= 0 {
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
