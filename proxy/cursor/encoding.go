package cursor

import (
	"encoding/binary"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// version is the first byte of what a handle seals. A handle of another version is a 409.
const version = 3

// encode appends a cursor to dst as bytes. Numbers are varints; texts and lists have their
// length in front:
//
//	version upstream base at step* pending* served
//
// drop is how many of the grants that the cursor names lose their revisions, in the
// order of loseOrder.
func encode(dst []byte, c *Cursor, drop int) []byte {
	w := writer{buf: append(dst, version), drop: drop}
	w.text(c.Upstream)
	w.text(c.Base.String())
	w.moment(c.At)
	w.count(len(c.Steps))
	for i := range c.Steps {
		w.step(&c.Steps[i])
	}
	w.count(len(c.Pending))
	for i := range c.Pending {
		w.resync(&c.Pending[i])
	}
	w.grants(c.Served)
	return w.buf
}

// hasTokens reports whether any grants still have revisions that could be left out,
// when drop were.
func (c *Cursor) hasTokens(drop int) bool {
	named := 1 + len(c.Pending)
	for _, s := range c.Steps {
		named += len(s.Before)
	}
	return drop < named
}

// writer writes the parts of a cursor. The grants of the oldest steps come first, so
// that they are the first to lose their revisions.
type writer struct {
	buf  []byte
	drop int // so many of the next grants lose their revisions
}

func (w *writer) count(n int) { w.number(uint64(n)) } //nolint:gosec // a length

func (w *writer) number(n uint64) { w.buf = binary.AppendUvarint(w.buf, n) }

func (w *writer) text(s string) {
	w.count(len(s))
	w.buf = append(w.buf, s...)
}

func (w *writer) time(t time.Time) {
	w.number(uint64(max(0, t.UnixMicro()))) //nolint:gosec // not negative
}

func (w *writer) moment(m authz.Moment) {
	w.time(m.Time)
	w.count(len(m.Losses))
	for _, l := range m.Losses {
		w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(l))
	}
}

func (w *writer) grants(g Grants) {
	w.buf = append(w.buf, g.Fingerprint[:]...)
	if w.drop > 0 {
		w.drop--
		g.Tokens = nil
	}
	w.count(len(g.Tokens))
	for _, t := range g.Tokens {
		w.text(string(t))
	}
}

func (w *writer) ids(sets [][]string) {
	w.count(len(sets))
	for _, ids := range sets {
		w.count(len(ids))
		for _, id := range ids {
			w.text(id)
		}
	}
}

func (w *writer) fence(f *electric.Fence) {
	w.number(f.XMax())
	w.number(f.XMax() - f.XMin())
	w.count(len(f.XIP()))
	for _, x := range f.XIP() {
		w.number(f.XMax() - x)
	}
	w.number(f.LSN())
}

func (w *writer) flag(is bool) {
	n := uint64(0)
	if is {
		n = 1
	}
	w.number(n)
}

func (w *writer) step(s *Step) {
	w.flag(s.Fresh)
	w.count(len(s.Before))
	for _, g := range s.Before {
		w.grants(g)
	}
	w.ids(s.Interrupted)
	w.fence(&s.Fence)
	w.time(s.At)
}

func (w *writer) resync(r *Resync) {
	w.grants(r.To)
	w.moment(r.At)
	w.fence(&r.Fence)
	w.number(r.Mark)
	w.ids(r.Interrupted)
	w.flag(r.Fresh)
	w.flag(r.Collapses)
	w.flag(r.ByKey)
}

// decode reads what encode wrote. The bytes were sealed here; what is wrong with them all
// the same is ErrNotACursor, never a panic. A cursor has one spelling: what decodes is
// encoded to the same bytes.
func decode(b []byte) (Cursor, error) {
	r := reader{buf: b}
	if r.byte() != version {
		return Cursor{}, ErrNotACursor
	}
	c := Cursor{Upstream: r.text()}
	base, err := electric.ParseOffset(r.text())
	if err != nil || !base.IsPosition() {
		return Cursor{}, ErrNotACursor
	}
	c.Base = base
	c.At = r.moment()
	c.Steps = list(&r, MaxSteps, (*reader).step)
	c.Pending = list(&r, MaxPending, (*reader).resync)
	c.Served = r.grants()
	if r.failed || len(r.buf) > 0 {
		return Cursor{}, ErrNotACursor
	}
	return c, nil
}

// reader reads the parts of a cursor. After the first part that is not there it fails,
// and reads zeros.
type reader struct {
	buf    []byte
	failed bool
}

func (r *reader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.buf)) {
		r.failed = true
		return nil
	}
	part := r.buf[:n]
	r.buf = r.buf[n:]
	return part
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.buf)
	if r.failed || size <= 0 || size > 1 && r.buf[size-1] == 0 { // it could be shorter
		r.failed = true
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

func (r *reader) flag() bool {
	n := r.number()
	r.failed = r.failed || n > 1
	return n == 1
}

func (r *reader) text() string { return string(r.take(r.number())) }

func (r *reader) time() time.Time {
	n := r.number()
	if n > 1<<62 {
		r.failed = true
		return time.Time{}
	}
	return time.UnixMicro(int64(n))
}

func (r *reader) moment() authz.Moment {
	return authz.Moment{Time: r.time(), Losses: list(r, authz.MostLosses, (*reader).loss)}
}

func (r *reader) loss() authz.Loss {
	if b := r.take(4); b != nil {
		return authz.Loss(binary.BigEndian.Uint32(b))
	}
	return 0
}

// list reads a list of at most so many.
func list[T any](r *reader, most uint64, read func(*reader) T) []T {
	n := r.number()
	if n > most {
		r.failed = true
	}
	var all []T
	for range n {
		if r.failed {
			return nil
		}
		all = append(all, read(r))
	}
	return all
}

func (r *reader) grants() (g Grants) {
	copy(g.Fingerprint[:], r.take(uint64(len(g.Fingerprint))))
	g.Tokens = list(r, 256, func(r *reader) authz.ZedToken { return authz.ZedToken(r.text()) })
	return g
}

func (r *reader) ids() [][]string {
	return list(r, 256, func(r *reader) []string { return list(r, MaxInterrupted, (*reader).text) })
}

func (r *reader) fence() electric.Fence {
	xmax := r.number()
	xmin := xmax - r.number()
	xip := list(r, 4096, func(r *reader) uint64 { return xmax - r.number() })
	return electric.NewFence(xmin, xmax, xip, r.number())
}

func (r *reader) step() Step {
	s := Step{Fresh: r.flag()}
	s.Before = list(r, MaxBefore, (*reader).grants)
	s.Interrupted = r.ids()
	s.Fence = r.fence()
	s.At = r.time()
	return s
}

func (r *reader) resync() Resync {
	return Resync{To: r.grants(), At: r.moment(), Fence: r.fence(), Mark: r.number(), Interrupted: r.ids(), Fresh: r.flag(), Collapses: r.flag(), ByKey: r.flag()}
}
