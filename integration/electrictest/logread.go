package electrictest

import (
	"net/http"
	"time"
)

// look is the state of a shape at one moment.
type look struct {
	read
	last    offset
	gone    bool
	changed <-chan struct{}
	seen    int64 // the LSN of the last transaction that Electric was sent
}

func (a *answer) look(from offset) look {
	a.s.mu.RLock()
	defer a.s.mu.RUnlock()
	limit := a.front.limit
	l := look{
		last: a.shape.lastUntil(limit), gone: a.shape.gone(limit),
		changed: a.shape.changed, seen: a.front.lastSeen(),
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
	a.s.inspector.hold(1)
	defer a.s.inspector.hold(-1)
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
				a.fail(http.StatusBadRequest, map[string]any{
					"message": "Invalid request",
					"errors":  fieldErrors{"offset": []string{"out of bounds for this shape"}},
				})
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
		out.events(a.shape, l, false)
		out.flush()
		return
	}
	out := newStream(a.w, a.r, jsonType)
	separator := "["
	for _, r := range l.rows {
		out.text(separator)
		out.buf = a.shape.appendSnapshotRow(out.buf, r, "}")
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

// events writes a part of the log as server-sent events. What was there when the
// request came ends with one up-to-date, and the answer with it; in an open
// stream each transaction has its own (recording 05).
func (s *stream) events(sh *shape, l *look, open bool) {
	event := func(write func()) bool {
		s.text("data: ")
		write()
		s.text("\n\n")
		return s.full()
	}
	for _, r := range l.rows {
		if !event(func() { s.buf = sh.appendSnapshotRow(s.buf, r, "}") }) {
			return
		}
	}
	if l.control != "" && !event(func() { s.text(l.control) }) {
		return
	}
	for i := range l.log {
		m := &l.log[i]
		if !event(func() { s.buf = append(s.buf, m.json...) }) {
			return
		}
		end := i == len(l.log)-1
		if (open && !end && l.log[i+1].offset.lsn != m.offset.lsn || end && l.upToDate) &&
			!event(func() { s.text(upToDateMessage(m.offset.lsn)) }) {
			return
		}
	}
}

// serveEvents streams what happens until the timeout. An idle stream gets a
// comment now and then.
func (a *answer) serveEvents() {
	a.headers(http.StatusOK, !a.look(a.p.offset).last.less(a.p.offset), true)
	out := newStream(a.w, a.r, "text/event-stream")
	out.flush()
	since := a.p.offset
	timeout := a.s.opts.SSETimeout
	if a.look(since).last.less(since) {
		timeout = min(timeout, a.s.opts.LongPollTimeout/2)
	}
	closing := time.NewTimer(timeout)
	defer closing.Stop()
	idle := time.NewTimer(a.s.opts.KeepAlive)
	defer idle.Stop()
	a.s.inspector.hold(1)
	defer a.s.inspector.hold(-1)
	for {
		l := a.look(since)
		if l.gone {
			return
		}
		if !l.empty() {
			out.events(a.shape, &l, true)
			if out.flush(); out.err != nil {
				return
			}
			since = l.end
			idle.Reset(a.s.opts.KeepAlive)
			continue
		}
		select {
		case <-l.changed:
		case <-idle.C:
			out.text(": keep-alive\n\n")
			if out.flush(); out.err != nil {
				return
			}
			idle.Reset(a.s.opts.KeepAlive)
		case <-closing.C:
			return
		case <-a.r.Context().Done():
			return
		case <-a.s.closing:
			return
		}
	}
}
