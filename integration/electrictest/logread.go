package electrictest

import (
	"net/http"
	"strconv"
	"time"
)

// look is the state of a shape at one moment, as a front shows it.
type look struct {
	read
	last    offset
	gone    bool
	changed <-chan struct{}
	seen    int64 // the LSN of the last transaction that the front shows
}

func (a *answer) look(from offset) look {
	db := a.s.db
	db.mu.RLock()
	defer db.mu.RUnlock()
	limit := a.lag.limit
	l := look{
		last: a.shape.log.endUntil(limit), gone: a.shape.gone(limit),
		changed: a.shape.changed, seen: db.shapes.lastSeen(a.lag),
	}
	if !l.gone && !l.last.less(from) {
		l.read = a.shape.readFrom(from, limit)
	}
	return l
}

// serveLog answers with what follows the offset. A live request waits until
// something does, or for the long-poll timeout; one that is ahead of the log
// waits for half of it, in case the log catches up.
func (a *answer) serveLog() {
	l := a.look(a.p.offset)
	ahead := l.last.less(a.p.offset)
	if !l.gone && !ahead && (!a.p.live || !l.empty()) {
		a.serveRead(&l)
		return
	}
	if a.p.sse && !l.gone {
		a.serveEvents()
		return
	}
	timeout := a.s.opts.LongPollTimeout
	if ahead {
		timeout /= 2
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	defer a.s.requests.hold()()
	for {
		if l.gone {
			a.refetch("")
			return
		}
		if ahead = l.last.less(a.p.offset); !ahead && (!a.p.live || !l.empty()) {
			a.end = l.end
			a.serveRead(&l)
			return
		}
		select {
		case <-l.changed:
			l = a.look(a.p.offset)
		case <-timer.C:
			if ahead {
				a.invalid(fieldErrors{"offset": []string{"out of bounds for this shape"}})
				return
			}
			a.upToDateAlone()
			return
		case <-a.r.Context().Done():
			return
		case <-a.s.closing:
			a.unavailable()
			return
		}
	}
}

// serveRead sends a part of the log.
func (a *answer) serveRead(l *look) {
	a.end = l.end
	a.headers(http.StatusOK, l.upToDate, true)
	if a.p.live && a.p.sse {
		out := newStream(a.w, a.r, "text/event-stream")
		out.events(a.def, l, false)
		out.flush()
		return
	}
	out := newStream(a.w, a.r, jsonType)
	separator := "["
	for _, r := range l.rows {
		out.text(separator)
		out.buf = a.def.appendSnapshotRow(out.buf, r, "}")
		separator = ","
		if !out.full() {
			return
		}
	}
	for i := range l.log {
		out.text(separator)
		out.buf = append(out.buf, l.log[i].json...)
		separator = ","
		if !out.full() {
			return
		}
	}
	if l.control != "" {
		out.text(separator + l.control)
		separator = ","
	}
	if l.upToDate {
		lsn := l.end.lsn
		if !a.p.live {
			lsn = max(l.seen, lsn)
		}
		out.text(separator + upToDateMessage(lsn))
		separator = ","
	}
	if separator == "[" {
		out.text("[")
	}
	out.text("]")
	out.flush()
}

func upToDateMessage(lsn int64) string {
	return `{"headers":{"control":"up-to-date","global_last_seen_lsn":"` + strconv.FormatInt(lsn, 10) + `"}}`
}

// upToDateAlone answers with no change: the message that says so.
func (a *answer) upToDateAlone() {
	a.s.db.mu.RLock()
	lsn := a.s.db.shapes.lastSeen(a.lag)
	a.s.db.mu.RUnlock()
	a.headers(http.StatusOK, true, false)
	writeBody(a.w, http.StatusOK, []byte("["+upToDateMessage(lsn)+"]"))
}
