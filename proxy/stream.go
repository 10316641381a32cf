package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/feed"
)

// stream is an event stream that is open.
type stream struct {
	x   *exchange
	out eventWriter

	at       feed.Place // up to here everything was written
	resume   uint64     // the LSN that the client resumes at
	mark     uint64     // no up-to-date message has a lower LSN; 0: there was no resync
	resynced time.Time  // when the resync began that the stream begins with

	until   time.Time // the stream ends
	timer   *time.Timer
	wakes   feed.Until // what ends a wait besides the log
	unwatch func()     // ends the watch of the credentials
	reader  waiter     // nil: there was something to read at once
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

// start makes what ends a wait, and stop ends it.
func (s *stream) start() {
	s.wakes = feed.Until{Drained: s.x.server.holding.draining.Done(), Timer: s.timer.C}
	s.wakes.Ended, s.unwatch = s.x.server.auth.watch(s.x.access.creds)
}

func (s *stream) stop() {
	s.timer.Stop()
	s.unwatch()
}

// begin authorizes the reader, and joins the feed's readers or takes what there is to read.
// The stream is over after its time, and when the grants have changed.
func (s *stream) begin(ctx context.Context) error {
	s.reader = nil
	s.wakes.Changed = s.x.access.sub.Changed() // before the decision, or a change is missed
	d, err := s.authorize(ctx)
	if err != nil {
		return err
	}
	left := time.Until(s.until)
	if left <= 0 {
		return errStreamOver
	}
	s.timer.Reset(max(0, min(left, time.Until(s.out.last.Add(s.x.server.holding.keepAlive)))))
	reader, part, err := s.x.source.join(ctx, s.at, d, &s.x.client)
	if reader == nil {
		return s.take(ctx, part, err)
	}
	s.reader = reader
	return nil
}

// authorize decides anew. The stream is over if the grants are not those that it was
// opened with.
func (s *stream) authorize(ctx context.Context) (authz.Decision, error) {
	d, served, err := s.x.authorizeLog(ctx)
	if err == nil && !served {
		err = errGrantsChanged
	}
	return d, err
}

// take writes what a wait has brought: a part of the log that may concern the reader.
func (s *stream) take(ctx context.Context, p *feed.Part, err error) error {
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
	d, err := s.authorize(ctx)
	if err != nil {
		return err
	}
	r := logRead{x: s.x, part: p, d: d, served: true}
	answer, ok, err := r.shared()
	if err != nil {
		return err
	}
	if !ok {
		part, err := r.filtered(ctx)
		if err != nil {
			return err
		}
		return s.write(ctx, part)
	}
	for _, element := range answer.Elements {
		if err := s.out.message(element); err != nil {
			return err
		}
	}
	return s.passed(p)
}

// write writes what is visible of a part of the log.
func (s *stream) write(ctx context.Context, part *logPart) error {
	if err := part.write(ctx, s.out.message); err != nil {
		return err
	}
	if part.guard.isNarrowed() {
		return errLeftOut
	}
	return s.passed(part.part)
}

// passed notes that a part was written. A client keeps messages to itself until
// up-to-date. The end of a long log may hold nothing visible, so what counts is what was
// written, not this part.
func (s *stream) passed(p *feed.Part) error {
	s.at = p.End
	if !s.out.pending || !p.UpToDate {
		return nil
	}
	return s.upToDate()
}

// upToDate ends a batch: the client has everything up to here.
func (s *stream) upToDate() error {
	lsn := max(s.at.Offset.LSN(), s.mark)
	if err := s.out.upToDate(lsn); err != nil {
		return err
	}
	s.resume = lsn
	return nil
}

// quiet is called when nothing came for a while, or when the server drains.
func (s *stream) quiet(ctx context.Context) error {
	if s.x.server.holding.draining.Err() != nil || !time.Now().Before(s.until) {
		return errStreamOver
	}
	if _, err := s.authorize(ctx); err != nil {
		return err
	}
	return s.out.keepAlive()
}

// end ends the stream. Where messages passed by that the reader may not see, the client is
// sent how far it has come, so that it does not read them again.
func (s *stream) end(ctx context.Context, err error) error {
	if errors.Is(err, errGrantsChanged) {
		s.gather(ctx)
		err = nil
	}
	if err == nil || errors.Is(err, errStreamOver) {
		if err = nil; s.out.pending || s.at.Offset.LSN() > s.resume {
			err = s.upToDate()
		}
	}
	if err != nil {
		s.x.server.log.Debug("event stream ended", "shape", s.x.req.def.Name, "cause", err)
	}
	return nil
}

// burstTime is how long changes of grants are gathered after a resync, so that a burst of
// them is one resync and not one for each.
const burstTime = 50 * time.Millisecond

// gather keeps a stream open that began with a resync a moment ago: changes of grants that
// come in a burst are one resync and not one for each.
func (s *stream) gather(ctx context.Context) {
	left := burstTime - time.Since(s.resynced)
	if s.mark == 0 || left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.x.server.holding.draining.Done():
	case <-ctx.Done():
	}
}
