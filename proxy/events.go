package proxy

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// events is a live read that is answered with a stream of server-sent events, as recording
// 05 has them: each batch of visible messages ends with up-to-date, whose LSN is where the
// client resumes.
//
// The headers go out before any message, and the client adopts the handle and the offset
// in them at once. So they promise nothing that was not delivered. A stream never changes
// its grants: when they change, it ends, and the client comes back with its handle. The
// next stream begins with the resync. Its handle names the resync as pending, and the
// up-to-date message behind the resync has a marked LSN: a client that comes back with the
// mark has the resync, any other is sent it again. Two copies of an insert or a delete are
// harmless.
type events struct {
	x       *exchange
	w       *bufio.Writer
	control *http.ResponseController

	at       feed.Place // up to here everything was written
	resume   uint64     // the LSN that the client resumes at
	mark     uint64     // no up-to-date message has a lower LSN; 0: there was no resync
	pending  bool       // messages were written, and no up-to-date message behind them
	until    time.Time  // the stream ends
	silent   time.Time  // when something was last sent
	resynced time.Time  // when the resync began that the stream begins with

	ended <-chan struct{} // closed when the credentials do not hold any more
}

// burstTime is how long changes of grants are gathered after a resync, so that a burst of
// them is one resync and not one for each.
const burstTime = 50 * time.Millisecond

// heldEvents is a stream that is not open yet.
type heldEvents struct{ x *exchange }

// wait implements held.
func (h heldEvents) wait(ctx context.Context) error { return h.x.serveEvents(ctx) }

func (x *exchange) serveEvents(ctx context.Context) error {
	// A read that does not wait shows whether the position is there, and what has to be
	// asked of Electric is asked, while a failure can still be a status.
	p, err := x.source.read(ctx, x.place())
	if err != nil {
		return err
	}
	defer closing(p)
	d, err := x.access.reauthorizeLog(ctx)
	if err != nil {
		return err
	}
	served, err := x.isServed(d)
	if err != nil {
		return err
	}
	var s *events
	if served || !p.UpToDate {
		s, err = x.openEvents(ctx, p, d, served)
	} else {
		s, err = x.openWithResync(ctx, p, d)
	}
	if s == nil {
		return err
	}
	var stop func()
	s.ended, stop = x.s.auth.watch(x.access.creds)
	defer stop()
	for err == nil && (served || s.mark > 0) {
		err = s.next(ctx)
	}
	return s.end(ctx, err)
}

// openEvents opens a stream with the part of the log that is there. The client has what it
// may see, or the part does not reach the end of the log: then the log has to be read up
// to there first.
func (x *exchange) openEvents(ctx context.Context, p *feed.Part, d authz.Decision, served bool) (*events, error) {
	filter, err := x.filterFor(ctx, d, p, served)
	if err != nil {
		return nil, err
	}
	if x.req.offset.Unmarked() != x.req.offset {
		x.become(x.client.cursor, true) // the offset in the headers is another one
	}
	if served {
		x.confirmed(d)
	} else if err := x.onward(d); err != nil {
		return nil, err
	}
	s := x.openStream()
	return s, s.writePart(ctx, x.newLogPart(p, d, filter))
}

// openWithResync opens a stream that begins with a resync.
func (x *exchange) openWithResync(ctx context.Context, p *feed.Part, d authz.Decision) (*events, error) {
	r, err := x.newResync(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r.of.Mark = electric.Marked(p.End.Offset.LSN())
	offered, ok := x.client.cursor.Offered(r.of)
	if !ok {
		return nil, errStaleHandle
	}
	resynced, _ := x.client.cursor.Resynced(r.of) // Offered has seen that it fits
	x.become(offered, true)
	narrowed := r.guard.isNarrowed()
	if err := x.leaveOut(r.guard); err != nil {
		return nil, err
	}
	s := x.openStream()
	s.resynced = time.Now()
	part := &logPart{x: x, part: p, filter: r.filter, guard: r.guard}
	if err := r.writeAll(ctx, part, s.event); err != nil {
		return s, err
	}
	if !narrowed && r.guard.isNarrowed() {
		return s, errLeftOut
	}
	if s.at = p.End; !narrowed {
		s.mark = r.of.Mark
	}
	if err := s.upToDate(); err != nil || narrowed {
		return s, err // the next stream begins with the rest
	}
	// From here on, this stream's client has the resync.
	x.client.cursor = resynced
	return s, nil
}

// streamBuffer is what an open stream gathers before it writes. It is there as long as the
// stream is, which is most often silent.
const streamBuffer = 4 << 10

func (x *exchange) openStream() *events {
	now := time.Now()
	at := x.place()
	s := &events{
		x:       x,
		w:       bufio.NewWriterSize(newPatientWriter(x.w), streamBuffer),
		control: http.NewResponseController(x.w),
		at:      at, resume: at.Offset.LSN(),
		until:  now.Add(spread(x.s.holding.stream)),
		silent: now,
	}
	shapeHeaders{
		handle: x.handle(), offset: x.req.offset.Unmarked(), cursor: nextCursor(now, x.req.cursor), upToDate: true, hasData: true,
	}.write(x.w.Header())
	x.w.Header().Set("Content-Type", "text/event-stream")
	x.w.Header().Set("X-Accel-Buffering", "no")
	x.w.WriteHeader(http.StatusOK)
	_ = s.control.Flush()
	return s
}

// errStreamOver and errGrantsChanged say that the stream has to end, and nothing is wrong.
//
// errLeftOut says that messages were left out of a batch, since their grants were lost while
// it was written. The stream ends without the up-to-date message of the batch, so that the
// client comes back with what it had before.
var (
	errStreamOver    = errors.New("the stream is over")
	errGrantsChanged = errors.New("the grants have changed")
	errLeftOut       = errors.New("grants were lost while a batch was written")
)

// next waits for the next part of the log and writes it. The stream is over after its
// time, when the server drains, and when the grants have changed.
func (s *events) next(ctx context.Context) error {
	x := s.x
	changed := x.access.sub.Changed() // before the decision, or a change is missed
	d, err := s.authorize(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	left := s.until.Sub(now)
	if left <= 0 {
		return errStreamOver
	}
	timer := time.NewTimer(max(0, min(left, s.silent.Add(x.s.holding.keepAlive).Sub(now))))
	defer timer.Stop()
	f, err := x.source.open()
	if err != nil {
		return err
	}
	interest := feed.Interest{Cohort: x.source.join(f, d)}
	interest.Newest, interest.Late = x.newestStep()
	p, err := f.Wait(ctx, s.at, interest, feed.Until{Changed: changed, Drained: x.s.holding.draining.Done(), Ended: s.ended, Timer: timer.C})
	switch {
	case errors.Is(err, feed.ErrChanged):
		return nil // the next decision says what has changed
	case errors.Is(err, feed.ErrOver):
		s.at = p.End
		return s.quiet(ctx)
	case err != nil:
		return err
	}
	defer closing(p)
	return s.take(ctx, p)
}

// authorize decides anew. The stream is over if the grants are not those that it was
// opened with.
func (s *events) authorize(ctx context.Context) (authz.Decision, error) {
	d, err := s.x.access.reauthorizeLog(ctx)
	if err != nil {
		return d, err
	}
	served, err := s.x.isServed(d)
	if err == nil && !served {
		err = errGrantsChanged
	}
	return d, err
}

// take writes a part of the log that may concern the reader.
func (s *events) take(ctx context.Context, p *feed.Part) error {
	d, err := s.authorize(ctx)
	if err != nil {
		return err
	}
	answer, ok, err := s.x.shared(p, d)
	if err != nil {
		return err
	}
	if !ok {
		filter, err := s.x.filter(ctx, d, s.x.mayBeLate(p))
		if err != nil {
			return err
		}
		return s.writePart(ctx, s.x.newLogPart(p, d, filter))
	}
	for _, element := range answer.Elements {
		if err := s.event(element); err != nil {
			return err
		}
	}
	return s.passed(p)
}

// writePart writes what is visible of a part of the log.
func (s *events) writePart(ctx context.Context, part *logPart) error {
	err := part.write(ctx, s.event)
	if err == nil {
		err = part.askAgain(ctx, s.event)
	}
	if err == nil && part.guard.isNarrowed() {
		err = errLeftOut
	}
	if err != nil {
		return err
	}
	return s.passed(part.part)
}

// passed notes that a part was written. A client keeps messages to itself until
// up-to-date. The end of a long log may hold nothing visible, so what counts is what was
// written, not this part.
func (s *events) passed(p *feed.Part) error {
	s.at = p.End
	if !s.pending || !p.UpToDate {
		return nil
	}
	return s.upToDate()
}

// quiet is called when nothing came for a while.
func (s *events) quiet(ctx context.Context) error {
	if s.x.s.holding.draining.Err() != nil || !time.Now().Before(s.until) {
		return errStreamOver
	}
	if _, err := s.authorize(ctx); err != nil {
		return err
	}
	_, _ = s.w.WriteString(": keep-alive\n\n")
	return s.flush()
}

func (s *events) flush() error {
	s.silent = time.Now()
	if err := s.w.Flush(); err != nil {
		return err
	}
	return s.control.Flush()
}

func (s *events) event(message []byte) error {
	s.pending = true
	_, _ = s.w.WriteString("data: ")
	_, _ = s.w.Write(message)
	_, err := s.w.WriteString("\n\n") // bufio keeps the first error
	return err
}

// upToDate ends a batch: the client has everything up to here.
func (s *events) upToDate() error {
	lsn := max(s.at.Offset.LSN(), s.mark)
	if err := s.event(feed.UpToDateMessage(lsn)); err != nil {
		return err
	}
	s.resume, s.pending = lsn, false
	return s.flush()
}

// end ends the stream. Where messages passed by that the reader may not see, the client is
// sent how far it has come, so that it does not read them again.
func (s *events) end(ctx context.Context, err error) error {
	if errors.Is(err, errGrantsChanged) {
		s.gather(ctx)
		err = nil
	}
	if err == nil || errors.Is(err, errStreamOver) {
		if err = nil; s.pending || s.at.Offset.LSN() > s.resume {
			err = s.upToDate()
		}
	}
	if err != nil {
		s.x.s.log.Debug("event stream ended", "shape", s.x.shape.def.Name, "cause", err)
	}
	return nil
}

// gather keeps a stream open that began with a resync a moment ago: changes of grants that
// come in a burst are one resync and not one for each.
func (s *events) gather(ctx context.Context) {
	left := burstTime - time.Now().Sub(s.resynced)
	if s.mark == 0 || left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.x.s.holding.draining.Done():
	case <-ctx.Done():
	}
}
