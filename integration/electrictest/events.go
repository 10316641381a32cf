package electrictest

import (
	"net/http"
	"time"
)

// events writes a part of the log as server-sent events. What was there when the
// request came ends with one up-to-date, and the answer with it; in an open
// stream each transaction has its own (recording 05).
func (s *stream) events(d *definition, l *look, open bool) {
	event := func(write func()) bool {
		s.text("data: ")
		write()
		s.text("\n\n")
		return s.full()
	}
	for _, r := range l.rows {
		if !event(func() { s.buf = d.appendSnapshotRow(s.buf, r, "}") }) {
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
	defer a.s.requests.hold()()
	for {
		l := a.look(since)
		if l.gone {
			return
		}
		if !l.empty() {
			out.events(a.def, &l, true)
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
