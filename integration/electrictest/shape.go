package electrictest

import "strconv"

// shape is one shape that Electric keeps: a snapshot, and the log of what happened since.
// The database's lock guards the log, goneAt and changed.
type shape struct {
	*definition
	handle   string
	snapshot snapshot
	log      messageLog

	goneAt  int64         // the LSN that invalidated the shape; 0: it was not
	changed chan struct{} // closed, and replaced, when there is something new to see
}

func newShape(d *definition, handle string, s snapshot) *shape {
	return &shape{
		definition: d, handle: handle, snapshot: s,
		log: messageLog{end: snapshotEnd}, changed: make(chan struct{}),
	}
}

// gone reports whether the shape is invalid by an LSN.
func (sh *shape) gone(limit int64) bool { return sh.goneAt != 0 && sh.goneAt <= limit }

// notify wakes the requests that wait. The caller must hold the lock.
func (sh *shape) notify() {
	close(sh.changed)
	sh.changed = make(chan struct{})
}

// reach returns the offset that an answer from p's comes to.
func (sh *shape) reach(p *params, limit int64) offset {
	if end := sh.log.endUntil(limit); p.now || end.less(p.offset) {
		return end
	}
	return sh.chunkEnd(p.offset, limit)
}

// chunkEnd returns the offset that an answer from o reaches: the end of the next
// chunk, or of the log as far as an LSN.
func (sh *shape) chunkEnd(o offset, limit int64) offset {
	if o == beforeAll {
		return offset{}
	}
	if o.inSnapshot() {
		if o.op < sh.snapshot.lastChunk() {
			return offset{op: o.op + 1}
		}
		o = snapshotEnd
	}
	return sh.log.chunkEnd(o, limit)
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
	r.upToDate = sh.isEnd(o, r.end, limit)
	if r.end.inSnapshot() {
		r.rows, r.control = sh.snapshot.chunk(r.end.op)
	} else {
		r.log = sh.log.between(o, r.end)
	}
	return r
}

// isEnd reports whether an answer from one offset to another is up to date as far as an
// LSN.
func (sh *shape) isEnd(from, to offset, limit int64) bool {
	return from != beforeAll && !to.less(sh.log.endUntil(limit)) && !to.less(from)
}

// add adds a transaction to the log. The caller must hold the lock.
func (sh *shape) add(t *transaction, chunkBytes int) {
	var list []logged
	for i := range t.changes {
		if c := &t.changes[i]; c.table == sh.table {
			if l, ok := sh.convert(c); ok {
				l.offset = offset{t.lsn, t.ops[i]}
				list = append(list, l)
			}
		}
	}
	if len(list) == 0 {
		return
	}
	txid := strconv.FormatInt(t.id, 10)
	for i := range list {
		for _, m := range sh.messages(&list[i], txid, i == len(list)-1) {
			sh.log.add(m, chunkBytes)
		}
	}
	sh.notify()
}
