package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// serveEvents answers with a stream of server-sent events, as recording 05 has
// them: each batch of visible messages ends with up-to-date, whose LSN is where
// the client resumes.
//
// The headers go out before any message, and the client takes the handle and the
// offset from them at once. So both are the ones that it came with: they promise
// nothing that was not delivered. When what the reader may see changes, the
// stream ends, and the client's next request is told what to do with a status.
func (rd *reading) serveEvents(ctx context.Context, w http.ResponseWriter, log shapeLog, h handle) error {
	// A read that does not wait shows whether the position is there, while a
	// refusal can still be a status.
	b, err := log.Read(ctx, rd.resume(h), false, "")
	if err != nil {
		return staleHandle(err)
	}
	s := rd.openStream(w, h)
	err = s.write(ctx, b)
	for !s.over(err) {
		b, err = s.next(ctx, log)
		switch {
		case err == nil:
			err = s.write(ctx, b)
		case errors.Is(err, errKeepAlive):
			err = s.comment(ctx)
		}
	}
	return s.end(err)
}

// eventStream is one open stream.
type eventStream struct {
	rd      *reading
	h       handle
	w       *bufio.Writer
	control *http.ResponseController

	at      position // what was read, visible or not
	told    electric.Offset
	pending bool // messages were written that no up-to-date has followed yet
	cursor  string
	until   time.Time // the stream ends
	silent  time.Time // something was last sent
	buf     []byte
}

func (rd *reading) openStream(w http.ResponseWriter, h handle) *eventStream {
	now := rd.h.now()
	s := &eventStream{
		rd: rd, h: h,
		w:       bufio.NewWriterSize(newPatientWriter(w), writeBuffer),
		control: http.NewResponseController(w),
		at:      rd.resume(h),
		told:    rd.offset,
		cursor:  nextCursor(now, rd.cursor),
		until:   now.Add(rd.h.sseTimeout),
		silent:  now,
	}
	shapeHeaders{
		handle: h.String(), offset: rd.offset, cursor: s.cursor, upToDate: true, hasData: true,
	}.write(w.Header())
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	_ = s.control.Flush()
	return s
}

// errKeepAlive says that it is time to send a sign of life.
var errKeepAlive = errors.New("time for a keep-alive")

// next waits for the next batch, until the stream ends or has been silent for
// too long.
func (s *eventStream) next(ctx context.Context, log shapeLog) (*batch, error) {
	now := s.rd.h.now()
	left := s.until.Sub(now)
	quiet := s.silent.Add(s.rd.h.keepAlive).Sub(now)
	b, err := s.rd.await(ctx, log, s.at, s.cursor, max(0, min(left, quiet)))
	if errors.Is(err, errWaitOver) && s.rd.h.draining.Err() == nil && s.rd.h.now().Before(s.until) {
		return nil, errKeepAlive
	}
	return b, err
}

// over reports whether the stream has to end.
func (s *eventStream) over(err error) bool {
	return err != nil || !s.rd.h.now().Before(s.until)
}

// comment sends a sign of life, to somebody who may still see what the handle
// says.
func (s *eventStream) comment(ctx context.Context) error {
	if err := s.rd.reauthorize(ctx, s.h); err != nil {
		return err
	}
	_, _ = s.w.WriteString(": keep-alive\n\n")
	return s.flush()
}

func (s *eventStream) flush() error {
	s.silent = s.rd.h.now()
	if err := s.w.Flush(); err != nil {
		return err
	}
	return s.control.Flush()
}

// write sends what the reader may see of a batch, and closes it.
func (s *eventStream) write(ctx context.Context, b *batch) error {
	err := s.writeMessages(ctx, b)
	return errors.Join(err, b.Close())
}

func (s *eventStream) writeMessages(ctx context.Context, b *batch) error {
	first, err := s.rd.firstVisible(ctx, b, s.h)
	if err != nil {
		return err
	}
	if first.element != nil {
		if err := s.writeVisible(b, first.element); err != nil {
			return err
		}
	}
	s.at = b.end
	if b.cursor != "" {
		s.cursor = b.cursor
	}
	// A client keeps messages to itself until up-to-date. The end of a long log may
	// hold nothing visible, so what counts is what was written, not this batch.
	if !s.pending || !b.upToDate {
		return nil
	}
	return s.tell()
}

func (s *eventStream) writeVisible(b *batch, element []byte) error {
	keys := s.rd.shape.keys()
	s.event(element)
	for {
		m, err := nextMessage(b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if m.Operation == electric.Control {
			continue // the stream has its own, see tell
		}
		var visible bool
		if s.buf, visible, err = s.rd.view.apply(s.buf[:0], m, keys); err != nil {
			return err
		}
		if visible {
			s.event(s.buf)
		}
	}
}

func (s *eventStream) event(message []byte) {
	s.pending = true
	_, _ = s.w.WriteString("data: ")
	_, _ = s.w.Write(message)
	_, _ = s.w.WriteString("\n\n") // bufio keeps the first error for Flush
}

// tell ends a batch: the client has everything up to here.
func (s *eventStream) tell() error {
	s.event(upToDateMessage(s.at.offset.LSN()))
	s.told, s.pending = s.at.offset, false
	return s.flush()
}

// end ends the stream. Where messages passed by that the reader may not see, the
// client is told how far it has come, so that it does not read them again.
func (s *eventStream) end(err error) error {
	switch {
	case err == nil, errors.Is(err, errWaitOver):
		if s.pending || s.at.offset.LSN() > s.told.LSN() {
			return s.tell()
		}
		return nil
	default:
		s.rd.h.log.Debug("event stream ended", "shape", s.rd.shape.def.Name, "cause", err)
		return nil
	}
}
