package proxy

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// serveEvents answers with a stream of server-sent events, as recording 05 has
// them: each batch of visible messages ends with up-to-date, whose LSN is where
// the client resumes.
//
// The headers go out before any message, and the client takes the handle and the
// offset from them at once. So both are the ones that it came with: they promise
// nothing that was not delivered. A change of what the reader may see is told in
// the stream; but as the handle cannot be changed in it, the next request is told
// once more of everything that changed since the handle was made, unless it shows
// that it has it, see acks. Two copies of an insert or a delete are harmless.
func (rd *reading) serveEvents(ctx context.Context, w http.ResponseWriter, log shapeLog, h handle) error {
	changed := rd.lease.Changed()
	c, err := rd.reauthorize(ctx, h)
	if err != nil {
		return err
	}
	// A read that does not wait shows whether the position is there, while a
	// refusal can still be a status.
	b, err := log.Read(ctx, rd.resume(h))
	if err != nil {
		return staleHandle(err)
	}
	if c.Empty() {
		h = rd.current(h, c)
	}
	s := rd.openStream(w, h)
	rd.h.extras.streamBegins(h)
	defer func() { rd.h.extras.streamEnds(h, s.at.Offset) }()
	err = s.write(ctx, log, b)
	for !s.over(err) {
		b, err = s.next(ctx, log, changed)
		switch {
		case err == nil:
			err = s.write(ctx, log, b)
		case errors.Is(err, errGrantsChanged):
			changed = rd.lease.Changed()
			err = s.tellChange(ctx, log)
		case errors.Is(err, errKeepAlive):
			err = s.comment(ctx)
		}
	}
	return s.end(err)
}

// heldStream is a stream that is not open yet.
type heldStream struct {
	rd  *reading
	w   http.ResponseWriter
	log shapeLog
	h   handle
}

// wait implements held.
func (s *heldStream) wait(ctx context.Context) error {
	return s.rd.serveEvents(ctx, s.w, s.log, s.h)
}

// streamBuffer is what an open stream gathers before it writes. It is there as long as
// the stream is, which is most often silent.
const streamBuffer = 4 << 10

// eventStream is one open stream.
type eventStream struct {
	rd      *reading
	h       handle // what the client was told, in all: the handle's grants at first
	w       *bufio.Writer
	control *http.ResponseController

	at      feed.Place      // what was read, visible or not
	told    electric.Offset // with a note, where it told what is beyond the handle
	changed bool            // this stream told a change, with everything since the handle was made
	pending bool            // messages were written that no up-to-date has followed yet
	until   time.Time       // the stream ends
	silent  time.Time       // something was last sent
}

func (rd *reading) openStream(w http.ResponseWriter, h handle) *eventStream {
	now := rd.h.now()
	s := &eventStream{
		rd: rd, h: h,
		w:       bufio.NewWriterSize(newPatientWriter(w), streamBuffer),
		control: http.NewResponseController(w),
		at:      rd.resume(h),
		told:    rd.came(),
		until:   now.Add(spread(rd.h.sseTimeout)),
		silent:  now,
	}
	shapeHeaders{
		handle: h.String(), offset: rd.came(), cursor: nextCursor(now, rd.cursor), upToDate: true, hasData: true,
	}.write(w.Header())
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	_ = s.control.Flush()
	return s
}

// errKeepAlive says that it is time to send a sign of life.
var errKeepAlive = errors.New("time for a keep-alive")

// next waits for the next batch, until the stream ends, grants change, or it has
// been silent for too long.
func (s *eventStream) next(ctx context.Context, log shapeLog, changed <-chan struct{}) (*batch, error) {
	now := s.rd.h.now()
	left := s.until.Sub(now)
	quiet := s.silent.Add(s.rd.h.keepAlive).Sub(now)
	b, err := s.rd.await(ctx, log, s.at, max(0, min(left, quiet)), changed)
	if errors.Is(err, errWaitOver) && b != nil {
		s.at = b.End
	}
	if errors.Is(err, errWaitOver) && s.rd.h.draining.Err() == nil && s.rd.h.now().Before(s.until) {
		return nil, errKeepAlive
	}
	return b, err
}

// over reports whether the stream has to end.
func (s *eventStream) over(err error) bool {
	return err != nil || !s.rd.h.now().Before(s.until)
}

// comment sends a sign of life, to somebody who may still read.
func (s *eventStream) comment(ctx context.Context) error {
	if _, err := s.rd.reauthorize(ctx, s.h); err != nil {
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
func (s *eventStream) write(ctx context.Context, log shapeLog, b *batch) error {
	answer, ok, err := s.rd.shared(b)
	switch {
	case err != nil:
		return err
	case ok:
		return s.writeShared(ctx, log, b, answer)
	}
	first, c, err := s.rd.firstVisible(ctx, b, s.h)
	if err == nil && !c.Empty() {
		err = errGrantsChanged // before there was a change of rows
	}
	switch {
	case errors.Is(err, errGrantsChanged):
		if err := b.Close(); err != nil {
			return err
		}
		return s.tellChange(ctx, log) // which reads the batch again
	case err == nil && first.visible:
		through := s.rd.steady()
		err = s.messages(ctx, b, &through)
	}
	if err := errors.Join(err, b.Close()); err != nil {
		return err
	}
	return s.passed(b)
}

// writeShared sends what the reader's cohort is sent of a batch.
func (s *eventStream) writeShared(ctx context.Context, log shapeLog, b *batch, answer *feed.Answer) error {
	c, err := s.rd.reauthorize(ctx, s.h)
	switch {
	case err != nil:
		return err
	case !c.Empty():
		return s.tellChange(ctx, log)
	}
	for _, element := range answer.Elements {
		if err := s.event(element); err != nil {
			return err
		}
	}
	return s.passed(b)
}

// passed notes that a batch was read. A client keeps messages to itself until
// up-to-date. The end of a long log may hold nothing visible, so what counts is what
// was written, not this batch.
func (s *eventStream) passed(b *batch) error {
	s.at = b.End
	if !s.pending || !b.UpToDate {
		return nil
	}
	return s.tell()
}

func (s *eventStream) messages(ctx context.Context, b *batch, through *window) error {
	return s.rd.forEachVisible(ctx, b, through, func(m *electric.Message, element []byte) error {
		if m.Operation == electric.Control {
			return nil // the stream has its own, see tell
		}
		return s.event(element)
	})
}

// tellChange tells the reader of a change of its grants, if there is one: what of
// the log was written up to now, and then the rows that go and come.
func (s *eventStream) tellChange(ctx context.Context, log shapeLog) error {
	for {
		b, err := log.Read(ctx, s.at)
		if err != nil {
			return err
		}
		before := s.at
		end, err := s.tellPart(ctx, log, b)
		if err == nil && !end && s.at == before {
			err = errNoProgress
		}
		if err := errors.Join(err, b.Close()); err != nil || end {
			return err
		}
	}
}

var errNoProgress = errors.New("a log that neither ends nor goes on")

// tellPart tells of one part of the log and, if it is the last, of the change.
func (s *eventStream) tellPart(ctx context.Context, log shapeLog, b *batch) (end bool, err error) {
	c, err := s.rd.reauthorize(ctx, s.h)
	if err != nil {
		return false, err
	}
	d := s.rd.newDelta(s.h, c, s.changed)
	defer d.Close()
	if err := s.messages(ctx, b, &d.window); err != nil {
		return false, err
	}
	s.at = b.End
	if !b.UpToDate {
		return false, nil
	}
	if !c.Empty() {
		if err := s.change(ctx, log, d); err != nil {
			return false, err
		}
	}
	if !s.pending {
		return true, nil
	}
	return true, s.tell()
}

func (s *eventStream) change(ctx context.Context, log shapeLog, d *delta) error {
	if err := d.ask(ctx, log); err != nil {
		return err
	}
	if err := s.rd.narrow(ctx); err != nil {
		return err
	}
	if err := d.write(s.event); err != nil {
		return err
	}
	s.h.mark, s.h.fingerprint, s.changed = s.rd.decision.Mark, s.rd.decision.Name, true
	s.rd.note = 0 // who reads on has all that is beyond the handle
	s.rd.late = d.late(s.h.mark)
	s.rd.h.extras.stream(s.h, s.rd.shape.visibility(s.rd.decision), s.at.Offset, s.rd.decision.Mark, d.seen())
	s.rd.h.late.put(s.h, s.rd.late)
	return nil
}

func (s *eventStream) event(message []byte) error {
	s.pending = true
	_, _ = s.w.WriteString("data: ")
	_, _ = s.w.Write(message)
	_, err := s.w.WriteString("\n\n") // bufio keeps the first error
	return err
}

// tell ends a batch: the client has everything up to here.
func (s *eventStream) tell() error {
	at := s.at.Offset
	if s.changed || s.rd.isBeyond() {
		at = nextNoted(s.told, at)
	}
	if err := s.event(feed.UpToDateMessage(at.LSN())); err != nil {
		return err
	}
	if at.LSN() > s.told.LSN() {
		// Whoever comes back with this LSN got here.
		s.rd.h.acks.put(s.h, told{
			lsn: at.LSN(), mark: s.h.mark, fingerprint: s.h.fingerprint, base: s.at.Offset,
		})
	}
	s.told, s.pending = at, false
	return s.flush()
}

// end ends the stream. Where messages passed by that the reader may not see, the
// client is told how far it has come, so that it does not read them again.
func (s *eventStream) end(err error) error {
	switch {
	case err == nil, errors.Is(err, errWaitOver):
		if s.pending || s.at.Offset.LSN() > s.told.WithNote(0).LSN() {
			return s.tell()
		}
		return nil
	default:
		s.rd.h.log.Debug("event stream ended", "shape", s.rd.shape.def.Name, "cause", err)
		return nil
	}
}
