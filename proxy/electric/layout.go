package electric

import (
	"bytes"
	"slices"
)

// rowScanner scans the rows of a snapshot.
type rowScanner struct {
	messageScanner
	layout  layout
	learned int
}

// mostLayouts is how many layouts are learnt of one snapshot: where each row has its own,
// it is no use.
const mostLayouts = 16

// scan is as messageScanner.scan.
func (r *rowScanner) scan(b []byte, m *Message) (end int, err error) {
	if end, ok := r.layout.read(b, m); ok {
		r.odd = false // a layout has the table's name in it
		return end, nil
	}
	end, err = r.messageScanner.scan(b, m)
	if err == nil && !r.odd && r.learned < mostLayouts {
		r.learned++
		r.layout.learn(b[:end], m)
	}
	return end, err
}

// layout is how the last row was laid out: the texts between its values. The rows of a
// snapshot are alike but for those, and to compare the rest takes a third of the time
// that it takes to read it.
type layout struct {
	gaps []gap // one more than there are values; none: there was no such row

	key, value, headers part

	starts []int // of the gaps in the row that is read
}

// gap is the text before a value or, of the last one, after all of them.
type gap struct {
	text  []byte
	inKey bool // what comes next is the end of the key
}

// part is where a part of a row begins and ends.
type part struct{ from, to place }

// place is a place in a row, or right after a value: so far from where a gap begins.
type place struct{ gap, distance int }

// hole is where a value is in a row.
type hole struct {
	from, to int
	inKey    bool
}

// learn notes how a row is laid out.
func (l *layout) learn(row []byte, m *Message) {
	l.gaps = l.gaps[:0]
	holes, ok := holesOf(row, m)
	if !ok {
		return
	}
	at := 0
	for _, h := range holes {
		l.gaps = append(l.gaps, gap{bytes.Clone(row[at:h.from]), h.inKey})
		at = h.to
	}
	l.gaps = append(l.gaps, gap{text: bytes.Clone(row[at:])})
	find := func(text []byte) part {
		from := offsetIn(row, text)
		return part{placeOf(holes, from), placeOf(holes, from+len(text))}
	}
	l.key, l.value, l.headers = find(m.key), find(m.value), find(m.headers)
	l.starts = make([]int, len(l.gaps))
}

// offsetIn returns where a part of a text begins in it: a slice of it, or of such a
// slice, all of which reach as far as the text can.
func offsetIn(text, part []byte) int { return cap(text) - cap(part) }

// placeOf says where an offset is, which is in no value.
func placeOf(holes []hole, offset int) place {
	gap, begin := 0, 0
	for gap < len(holes) && holes[gap].to <= offset {
		begin = holes[gap].to
		gap++
	}
	return place{gap, offset - begin}
}

// holesOf returns where the values of a row are, in order: of its columns, and of the
// key what comes after the table's name. It returns false for what is no plain row.
func holesOf(row []byte, m *Message) (holes []hole, ok bool) {
	name := bytes.Index(m.key, endOfTable)
	if m.Operation != Insert || m.KeyChange != nil || m.old != nil || name < 0 || m.key[0] != '"' {
		return nil, false
	}
	names := 0
	members(row, func(member) bool { names++; return true })
	if names != 3 {
		return nil, false // something is there twice, or is not known
	}
	key := offsetIn(row, m.key)
	holes = append(holes, hole{key + name + len(endOfTable), key + len(m.key), true})
	members(m.value, func(f member) bool {
		from := offsetIn(row, f.value)
		holes = append(holes, hole{from: from, to: from + len(f.value)})
		return true
	})
	slices.SortFunc(holes, func(a, b hole) int { return a.from - b.from })
	return holes, len(holes) > 1
}

// read reads the row that b begins with, if it is laid out as the last one was.
func (l *layout) read(b []byte, m *Message) (end int, ok bool) {
	if len(l.gaps) == 0 {
		return 0, false
	}
	i := 0
	for n := range l.gaps {
		g := &l.gaps[n]
		l.starts[n] = i
		if !bytes.HasPrefix(b[i:], g.text) {
			return 0, false
		}
		i += len(g.text)
		if n == len(l.gaps)-1 {
			break
		}
		switch {
		case g.inKey:
			i, ok = stringEnd(b, i-1)
		case i < len(b) && b[i] == '"':
			i, ok = stringEnd(b, i)
		default:
			var err error
			i, err = checkValue(b, i, 2)
			ok = err == nil
		}
		if !ok {
			return 0, false
		}
	}
	*m = Message{Operation: Insert}
	m.key, m.value, m.headers = l.of(b, l.key), l.of(b, l.value), l.of(b, l.headers)
	return i, true
}

// of returns a part of the row that was read.
func (l *layout) of(b []byte, p part) []byte {
	return b[l.starts[p.from.gap]+p.from.distance : l.starts[p.to.gap]+p.to.distance]
}
