package proxy

import (
	"context"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// events answers a live read with a stream of server-sent events, as recording 05 has them:
// each batch of visible messages ends with up-to-date, whose LSN is where the client resumes.
//
// The headers go out before any message, and the client adopts the handle and the offset
// in them at once. So they promise nothing that was not delivered. A stream never changes
// its grants: when they change, it ends, and the client comes back with its handle. The
// next stream begins with the resync. Its handle names the resync as pending, and the
// up-to-date message behind the resync has a marked LSN: a client that comes back with the
// mark has the resync, any other is sent it again. Two copies of an insert or a delete are
// harmless.
type events struct{ x *exchange }

// serve opens the stream, and waits for what comes. As in longPoll.serve, whatever is done
// before and after a wait is done in calls that have returned.
func (e *events) serve(ctx context.Context) error {
	s, err := e.open(ctx)
	if s == nil {
		return err
	}
	s.start()
	defer s.stop()
	for err == nil {
		if err = s.begin(ctx); err == nil && s.reader != nil {
			part, waited := s.reader.Wait(ctx, s.wakes)
			err = s.take(ctx, part, waited)
		}
	}
	return s.end(ctx, err)
}

// open opens the stream with what is there. A read that does not wait shows whether the
// position is there, and what has to be asked of Electric is asked, while a failure can
// still be a status: then there is no stream. With a stream, an error says why it has to
// end.
func (e *events) open(ctx context.Context) (*stream, error) {
	r, err := e.x.readLog(ctx, e.x.client.place())
	if err != nil {
		return nil, err
	}
	defer closing(r.part)
	if r.served || !r.part.UpToDate {
		return e.openWithPart(ctx, r)
	}
	return e.openWithResync(ctx, r)
}

// openWithPart opens a stream with the part of the log that is there. The client was served
// what it may see, or the part does not reach the end of the log: then the log has to be
// read up to there first, and the stream has that part alone.
func (e *events) openWithPart(ctx context.Context, r *logRead) (*stream, error) {
	part, err := r.filtered(ctx)
	if err != nil {
		return nil, err
	}
	c, offset := &e.x.client, e.x.req.offset
	if offset.Unmarked() != offset {
		c.become(c.cursor, true) // the offset in the headers is another one
	}
	if r.served {
		c.confirmed(r.d)
	} else if err := c.onward(r.d); err != nil {
		return nil, err
	}
	s := e.begin()
	if err = s.write(ctx, part); err == nil && !r.served {
		err = errStreamOver
	}
	return s, err
}

// openWithResync opens a stream that begins with a resync.
func (e *events) openWithResync(ctx context.Context, l *logRead) (*stream, error) {
	r, err := e.x.source.resync(ctx, l)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c, end := &e.x.client, l.part.End
	r.of.Mark = electric.Marked(end.Offset.LSN())
	offered, ok := c.cursor.Offered(r.of)
	if !ok {
		return nil, errStaleHandle
	}
	resynced, _ := c.cursor.Resynced(r.of) // Offered has seen that it fits
	c.become(offered, true)
	narrowed, permitted := r.guard.isNarrowed(), r.guard.permitted
	if err := r.guard.leaveOut(c); err != nil {
		return nil, err
	}
	s := e.begin()
	s.resynced = time.Now()
	if _, err := r.body.write(ctx, l.part, r.guard, s.out.message); err != nil {
		return s, err
	}
	if !r.guard.permitted.Equal(permitted) {
		return s, errLeftOut
	}
	if s.at = end; !narrowed {
		s.mark = r.of.Mark
	}
	if err := s.upToDate(); err != nil {
		return s, err
	}
	if narrowed {
		return s, errStreamOver // the next stream begins with the rest
	}
	// From here on, this stream's client has the resync.
	c.cursor = resynced
	return s, nil
}

// begin sends the headers.
func (e *events) begin() *stream {
	x, now := e.x, time.Now()
	at := x.client.place()
	return &stream{
		x: x,
		out: beginEvents(x.w, shapeHeaders{
			handle: x.client.sealed(), offset: x.req.offset.Unmarked(), cursor: nextCursor(now, x.req.cursor), upToDate: true, hasData: true,
		}),
		at: at, resume: at.Offset.LSN(),
		until: now.Add(spread(x.server.holding.stream)),
		timer: time.NewTimer(time.Hour), // set before each wait
	}
}
