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

	gone    bool
	changed chan struct{} // closed, and replaced, when the log grows or the shape goes
}

// message is one message of a log, encoded.
type message struct {
	offset offset
	json   []byte
}

// shapeFor returns the shape of a definition, its handle, and the offset that an
// answer from the requested one would reach. It makes the shape if there is none.
func (s *Server) shapeFor(d *definition, p *params) (sh *shape, handle string, end offset) {
	s.mu.RLock()
	sh = s.shapes[d.identity]
	if sh != nil {
		end = sh.reach(p)
	}
	s.mu.RUnlock()
	if sh == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if sh = s.shapes[d.identity]; sh == nil {
			sh = s.newShape(d)
		}
		end = sh.reach(p)
	}
	return sh, sh.handle, end
}

func (sh *shape) reach(p *params) offset {
	if p.now || sh.last.less(p.offset) {
		return sh.last
	}
	return sh.chunkEnd(p.offset)
}

// newShape takes the shape's snapshot. The caller must hold the server's lock.
func (s *Server) newShape(d *definition) *shape {
	sh := &shape{definition: d, handle: s.newHandle(d.identity), last: snapshotEnd, changed: make(chan struct{})}
	xid := strconv.FormatInt(s.nextXID, 10)
	sh.end = `{"headers":{"control":"snapshot-end","xip_list":[],"xmax":"` + xid + `","xmin":"` + xid + `"}}`
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
	s.shapes[d.identity] = sh
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

// rotate invalidates all shapes on a table. The caller must hold the lock.
func (s *Server) rotate(t *table) {
	for sh := range t.shapes {
		sh.gone = true
		close(sh.changed)
		delete(s.shapes, sh.identity)
		delete(s.handles, sh.handle)
	}
	clear(t.shapes)
}

// snapshotChunk is the number of the snapshot's last chunk.
func (sh *shape) snapshotChunk() int64 { return int64(len(sh.chunkEnds) - 1) }

// chunkEnd returns the offset that an answer from o reaches: the end of the next
// chunk, or of the log.
func (sh *shape) chunkEnd(o offset) offset {
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
	if i < len(sh.chunks) {
		return sh.chunks[i]
	}
	return sh.last
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

// readFrom returns what follows o, as far as one answer goes. The caller must
// hold the lock.
func (sh *shape) readFrom(o offset) read {
	r := read{end: sh.chunkEnd(o)}
	r.upToDate = o != beforeAll && !r.end.less(sh.last) && !r.end.less(o)
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
	close(sh.changed)
	sh.changed = make(chan struct{})
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
	case l.old.key != l.new.key:
		next := offset{l.offset.lsn, l.offset.op + 1}
		return []message{
			sh.message("delete", l.offset, l.old, nil, txid, false, `,"key_change_to":`+l.new.key),
			sh.message("insert", next, l.new, nil, txid, last, `,"key_change_from":`+l.old.key),
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
	b = append(b, r.key...)
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
