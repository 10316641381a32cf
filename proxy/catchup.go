package proxy

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// serveCatchUp answers a read of the messages after an offset that does not wait.
// Short as it is, a grant may be revoked and the row written while it is on its
// way; on-demand collections read so around each subset. So it is asked anew who
// may see what came, as after a wait.
func (rd *reading) serveCatchUp(ctx context.Context, w http.ResponseWriter, log shapeLog, h handle) error {
	b, err := log.Read(ctx, rd.resume(h))
	if err != nil {
		return staleHandle(err)
	}
	defer b.Close()
	rd.shape.learn(b.Schema)
	c, err := rd.reauthorize(ctx, h)
	switch {
	case err != nil:
		return err
	case !c.Empty():
		return rd.deliverDelta(ctx, w, log, b, h, c)
	}
	answer, ok, err := rd.shared(b)
	switch {
	case err != nil:
		return err
	case ok:
		return rd.deliverShared(w, b, rd.current(h, c), answer)
	}
	return rd.deliver(ctx, w, b, rd.current(h, c), found{}, rd.steady())
}

// resume returns where the client's reading goes on. A handle is good from its
// base: an offset before that was never this reader's to have.
//
// An event stream's client resumes at the start of the last transaction that it
// was told of, which may be the base's own; that is why an earlier offset is
// raised to the base, rather than refused.
func (rd *reading) resume(h handle) feed.Place {
	at := feed.Place{Handle: h.upstream, Offset: rd.offset}
	if at.Offset.Compare(h.base) < 0 {
		at.Offset = h.base
	}
	return at
}

// errStaleHandle says that the client has to begin anew.
var errStaleHandle = errors.New("the handle or offset is not of a log that is here")

// staleHandle turns Electric's refusals of a read into the one answer they have
// for a client. Everything else in the request was built here: what Electric can
// refuse is the position, one that it never gave out.
func staleHandle(err error) error {
	if errors.Is(err, electric.ErrMustRefetch) || errors.Is(err, electric.ErrRefused) {
		return errStaleHandle
	}
	return err
}

// deliverDelta answers a read of the log by a reader whose grants have changed: with
// the part of the log as far as it is the reader's, the rows that go and those
// that come, and a handle that names today's grants.
//
// A part that does not reach the end of the log comes alone, under the handle that
// the client holds: the rows are as of now, and the log has to be told up to then
// first.
func (rd *reading) deliverDelta(ctx context.Context, w http.ResponseWriter, log shapeLog, b *batch, h handle, c authz.Change) error {
	d := rd.newDelta(h, c, false)
	if !b.UpToDate {
		return rd.deliver(ctx, w, b, h, found{}, d.window)
	}
	if err := d.ask(ctx, log); err != nil {
		return err
	}
	defer d.Close()
	if err := rd.narrow(ctx); err != nil {
		return err
	}
	told := rd.mint(b.End, b.End.Offset)
	out := beginArray(w, rd.headOf(b, told))
	var upToDate []byte
	if err := rd.forEachVisible(ctx, b, &d.window, func(m *electric.Message, element []byte) error {
		if m.Operation == electric.Control && m.Control == electric.ControlUpToDate {
			upToDate = append(upToDate, element...) // it comes last
			return nil
		}
		return out.add(element)
	}); err != nil {
		return aborted(err)
	}
	if err := d.write(out.add); err != nil {
		return aborted(err)
	}
	rd.h.late.put(told, d.late(authz.Mark{}))
	if upToDate == nil {
		upToDate = feed.UpToDateMessage(b.End.Offset.LSN())
	}
	_ = out.add(upToDate)
	return out.end()
}

// deliver writes what the reader may see of a batch: what was found when it was
// looked into, then the messages that are still unread.
func (rd *reading) deliver(ctx context.Context, w http.ResponseWriter, b *batch, h handle, f found, through window) error {
	out := beginArray(w, rd.headOf(b, h))
	for _, message := range f.control {
		_ = out.add(message)
	}
	if err := rd.forEachVisible(ctx, b, &through, func(_ *electric.Message, element []byte) error { return out.add(element) }); err != nil {
		return aborted(err)
	}
	return out.end()
}

// headOf is the head of an answer with a part of the log. The client of a request that
// waits knows what the table looks like, and needs a cursor.
func (rd *reading) headOf(b *batch, h handle) shapeHeaders {
	head := shapeHeaders{handle: h.String(), offset: rd.offsetFor(h, b.End.Offset), upToDate: b.UpToDate, hasData: true}
	if rd.live {
		head.cursor = nextCursor(rd.h.now(), rd.cursor)
	} else {
		head.schema = b.Schema
	}
	return head
}

// deliverShared writes what everybody of the reading's cohort is sent.
func (rd *reading) deliverShared(w http.ResponseWriter, b *batch, h handle, a *feed.Answer) error {
	rd.headOf(b, h).write(w.Header())
	body := a.Body
	if rd.gzip {
		if zipped := a.Zipped(); zipped != nil {
			body = zipped
			w.Header().Set("Content-Encoding", "gzip")
		}
	}
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if _, err := newPatientWriter(w).Write(body); err != nil {
		return aborted(err)
	}
	return nil
}
