package electrictest

import (
	"hash/fnv"
	"slices"
	"sort"
	"strconv"
	"time"
)

// shape is one shape that Electric keeps: a snapshot, and the log of what
// happened since. The server's lock guards what changes.
type shape struct {
	*definition
	handle string

	// The snapshot: its rows, cut into chunks; chunk i ends before row
	// chunkEnds[i]. The snapshot-end message follows in the last one.
	rows      []*row
	chunkEnds []int
	end       string // the snapshot-end message

	log        []message
	last       offset
	chunkBytes int      // of the log's open chunk
	chunks     []offset // where the log's closed chunks end

	goneAt  int64         // the LSN that invalidated the shape; 0: it was not
	changed chan struct{} // closed, and replaced, when there is something new to see
}

// message is one message of a log, encoded.
type message struct {
	offset offset
	json   []byte
}

// atOnce is the LSN of what no front lags behind.
const atOnce = 1

// gone reports whether the shape is invalid by an LSN.
func (sh *shape) gone(limit int64) bool { return sh.goneAt != 0 && sh.goneAt <= limit }

// notify wakes the requests that wait. The caller must hold the lock.
func (sh *shape) notify() {
	close(sh.changed)
	sh.changed = make(chan struct{})
}

// shapeFor returns the shape of a definition, its handle, and the offset that an
// answer from the requested one would reach. It makes the shape if there is none.
func (f *Front) shapeFor(d *definition, p *params) (sh *shape, handle string, end offset) {
	s := f.s
	s.mu.RLock()
	if sh = f.shapeOf(d.identity); sh != nil {
		end = sh.reach(p, f.limit)
	}
	s.mu.RUnlock()
	if sh == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if sh = f.shapeOf(d.identity); sh == nil {
			sh = s.newShape(d)
		}
		end = sh.reach(p, f.limit)
	}
	return sh, sh.handle, end
}

// shapeOf returns the shape that a definition has as the front shows it, or nil. The
// caller must hold the lock.
func (f *Front) shapeOf(identity string) *shape {
	for _, sh := range f.s.shapes[identity] {
		if !sh.gone(f.limit) {
			return sh
		}
	}
	return nil
}

// lastUntil returns where the log ends as far as an LSN.
func (sh *shape) lastUntil(limit int64) offset {
	if sh.last.lsn <= limit {
		return sh.last
	}
	n := sort.Search(len(sh.log), func(i int) bool { return sh.log[i].offset.lsn > limit })
	if n == 0 {
		return snapshotEnd
	}
	return sh.log[n-1].offset
}

func (sh *shape) reach(p *params, limit int64) offset {
	if last := sh.lastUntil(limit); p.now || last.less(p.offset) {
		return last
	}
	return sh.chunkEnd(p.offset, limit)
}

// newShape takes the shape's snapshot. The caller must hold the server's lock.
func (s *Server) newShape(d *definition) *shape {
	sh := &shape{definition: d, handle: s.newHandle(d.identity), last: snapshotEnd, changed: make(chan struct{})}
	sh.end = `{"headers":{"control":"snapshot-end",` + s.transactions.fence() + `}}`
	size := 0
	if !d.changesOnly {
		for _, r := range d.table.rows.view().all() {
			if !d.where.holds(r) {
				continue
			}
			sh.rows = append(sh.rows, r)
			if size += d.snapshotRowLen(r) + 1; size >= s.opts.ChunkBytes {
				sh.chunkEnds = append(sh.chunkEnds, len(sh.rows))
				size = 0
			}
		}
	}
	// The snapshot-end message opens a chunk of its own where a chunk was just
	// closed.
	sh.chunkEnds = append(sh.chunkEnds, len(sh.rows))
	d.table.published = true
	d.table.shapes[sh] = struct{}{}
	s.shapes[d.identity] = append(s.shapes[d.identity], sh)
	s.handles[sh.handle] = sh
	return sh
}

// newHandle makes a handle that was never used: the definition's hash and the
// time in microseconds.
func (s *Server) newHandle(identity string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(identity))
	s.lastHandle = max(time.Now().UnixMicro(), s.lastHandle+1)
	return strconv.FormatUint(uint64(h.Sum32()&(1<<27-1)), 10) + "-" + strconv.FormatInt(s.lastHandle, 10)
}

// rotate invalidates all shapes on a table, for fronts that have come to an LSN. The
// caller must hold the lock.
func (s *Server) rotate(t *table, lsn int64) {
	for sh := range t.shapes {
		sh.goneAt = lsn
		sh.notify()
	}
	clear(t.shapes)
	s.prune()
}

// snapshotChunk is the number of the snapshot's last chunk.
func (sh *shape) snapshotChunk() int64 { return int64(len(sh.chunkEnds) - 1) }

// chunkEnd returns the offset that an answer from o reaches: the end of the next
// chunk, or of the log as far as an LSN.
func (sh *shape) chunkEnd(o offset, limit int64) offset {
	if o == beforeAll {
		return offset{}
	}
	if o.inSnapshot() {
		if o.op < sh.snapshotChunk() {
			return offset{op: o.op + 1}
		}
		o = snapshotEnd
	}
	i := sort.Search(len(sh.chunks), func(i int) bool { return o.less(sh.chunks[i]) })
	if i < len(sh.chunks) && sh.chunks[i].lsn <= limit {
		return sh.chunks[i]
	}
	return sh.lastUntil(limit)
}

// read is a part of a log that one answer sends: rows of the snapshot, or
// messages after it.
type read struct {
	end      offset // what the answer's electric-offset says
	upToDate bool
	rows     []*row
	control  string // the snapshot-end message, after the rows
	log      []message
}

func (r *read) empty() bool { return len(r.rows) == 0 && r.control == "" && len(r.log) == 0 }

// readFrom returns what follows o, as far as one answer goes and as an LSN. The caller
// must hold the lock.
func (sh *shape) readFrom(o offset, limit int64) read {
	r := read{end: sh.chunkEnd(o, limit)}
	r.upToDate = o != beforeAll && !r.end.less(sh.lastUntil(limit)) && !r.end.less(o)
	if chunk := r.end.op; r.end.inSnapshot() {
		start := 0
		if chunk > 0 {
			start = sh.chunkEnds[chunk-1]
		}
		r.rows = sh.rows[start:sh.chunkEnds[chunk]]
		if chunk == sh.snapshotChunk() {
			r.control = sh.end
		}
		return r
	}
	after := func(o offset) int {
		return sort.Search(len(sh.log), func(i int) bool { return o.less(sh.log[i].offset) })
	}
	if from, to := after(o), after(r.end); from < to {
		r.log = sh.log[from:to]
	}
	return r
}

// logged is a change as it concerns one shape.
type logged struct {
	kind     changeKind
	offset   offset
	old, new *row
	changed  []int
}

// apply adds a transaction to the shape's log. ops holds the position of each
// change in the transaction. The caller must hold the lock.
func (sh *shape) apply(changes []change, ops []int64, lsn, txid int64, chunkLimit int) {
	var list []logged
	for i := range changes {
		if c := &changes[i]; c.table == sh.table {
			if l, ok := sh.convert(c); ok {
				l.offset = offset{lsn, ops[i]}
				list = append(list, l)
			}
		}
	}
	if len(list) == 0 {
		return
	}
	tx := strconv.FormatInt(txid, 10)
	for i := range list {
		for _, m := range sh.encode(&list[i], tx, i == len(list)-1) {
			sh.log = append(sh.log, m)
			sh.last = m.offset
			if sh.chunkBytes += len(m.json); sh.chunkBytes >= chunkLimit {
				sh.chunks = append(sh.chunks, m.offset)
				sh.chunkBytes = 0
			}
		}
	}
	sh.notify()
}

// convert says what a change is to the shape: an update that moves a row out of
// the main where is a delete, one that moves a row in is an insert, and one that
// changes no column of the shape is nothing.
func (sh *shape) convert(c *change) (logged, bool) {
	l := logged{kind: c.kind, old: c.old, new: c.new}
	switch c.kind {
	case inserted:
		return l, sh.where.holds(c.new)
	case deleted:
		return l, sh.where.holds(c.old)
	}
	was, is := sh.where.holds(c.old), sh.where.holds(c.new)
	switch {
	case was && !is:
		l.kind = deleted
		return l, true
	case is && !was:
		l.kind = inserted
		return l, true
	case !was:
		return l, false
	}
	for _, i := range sh.selected {
		if c.old.cells[i] != c.new.cells[i] {
			l.changed = append(l.changed, i)
		}
	}
	return l, len(l.changed) > 0
}

// encode writes a change as one message, or as two where it changes the key.
func (sh *shape) encode(l *logged, txid string, last bool) []message {
	switch {
	case l.kind == inserted:
		return []message{sh.message("insert", l.offset, l.new, nil, txid, last, "")}
	case l.kind == deleted:
		return []message{sh.message("delete", l.offset, l.old, nil, txid, last, "")}
	case l.old.logKey != l.new.logKey:
		next := offset{l.offset.lsn, l.offset.op + 1}
		return []message{
			sh.message("delete", l.offset, l.old, nil, txid, false, `,"key_change_to":`+l.new.logKey),
			sh.message("insert", next, l.new, nil, txid, last, `,"key_change_from":`+l.old.logKey),
		}
	default:
		return []message{sh.message("update", l.offset, l.new, l, txid, last, "")}
	}
}

func (sh *shape) message(operation string, o offset, r *row, update *logged, txid string, last bool, extra string) message {
	all := func(int) bool { return true }
	include := all
	if !sh.full && operation != "insert" {
		include = func(i int) bool {
			return slices.Contains(sh.table.key, i) || update != nil && slices.Contains(update.changed, i)
		}
	}
	b := append(make([]byte, 0, 256), `{"value":`...)
	b = sh.appendLogValue(b, r, include)
	b = append(b, `,"key":`...)
	b = append(b, r.logKey...)
	b = append(b, `,"headers":{`...)
	if last {
		b = append(b, `"last":true,`...)
	}
	b = append(b, `"relation":`...)
	b = append(b, sh.relation...)
	b = append(b, `,"operation":"`...)
	b = append(b, operation...)
	b = append(b, `","lsn":"`...)
	b = strconv.AppendInt(b, o.lsn, 10)
	b = append(b, `","txids":[`...)
	b = append(b, txid...)
	b = append(b, `],"op_position":`...)
	b = strconv.AppendInt(b, o.op, 10)
	b = append(b, extra...)
	b = append(b, '}')
	if update != nil && sh.full {
		b = append(b, `,"old_value":`...)
		b = sh.appendLogValue(b, update.old, func(i int) bool { return slices.Contains(update.changed, i) })
	}
	return message{o, append(b, '}')}
}
