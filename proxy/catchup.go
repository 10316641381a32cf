package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/shapegate/shapegate/proxy/electric"
)

// serveCatchUp answers a read of the messages after an offset that does not wait.
// Short as it is, a grant may be revoked and the row written while it is on its
// way; on-demand collections read so around each subset. So it is asked anew who
// may see what came, as after a wait.
func (rd *reading) serveCatchUp(ctx context.Context, w http.ResponseWriter, log shapeLog, h handle) error {
	b, err := log.Read(ctx, rd.resume(h), false, "")
	if err != nil {
		return staleHandle(err)
	}
	defer b.Close()
	rd.shape.learn(b.schema)
	found, err := rd.firstVisible(ctx, b, h)
	if err != nil {
		return err
	}
	return rd.deliver(w, b, h, found)
}

// resume returns where the client's reading goes on. A handle is good from its
// base: an offset before that was never this reader's to have.
//
// An event stream's client resumes at the start of the last transaction that it
// was told of, which may be the base's own; that is why an earlier offset is
// raised to the base, rather than refused.
func (rd *reading) resume(h handle) position {
	at := position{handle: h.upstream, offset: rd.offset}
	if at.offset.Compare(h.base) < 0 {
		at.offset = h.base
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

// deliver writes what the reader may see of a batch: what was found when it was
// looked into, then the messages that are still unread.
func (rd *reading) deliver(w http.ResponseWriter, b *batch, h handle, f found) error {
	out := beginArray(w, shapeHeaders{
		handle:   h.String(),
		offset:   b.end.offset,
		schema:   b.schema,
		cursor:   b.cursor,
		upToDate: b.upToDate,
		hasData:  true,
	})
	for _, message := range f.control {
		_ = out.add(message)
	}
	if f.element != nil {
		_ = out.add(f.element)
	}
	for {
		element, err := rd.nextVisible(b, out.buf)
		if errors.Is(err, io.EOF) {
			return out.end()
		}
		if err != nil {
			return aborted(err)
		}
		out.buf = element[:0]
		if err := out.add(element); err != nil {
			return err
		}
	}
}

// nextMessage returns the next message of a batch. That a log must be read anew
// is a status, and never a message: passed on as one, it would have every reader
// drop its rows.
func nextMessage(b *batch) (*electric.Message, error) {
	m, err := b.Next()
	if err == nil && m.Operation == electric.Control && m.Control == electric.ControlMustRefetch {
		return nil, &electric.ProtocolError{Reason: "must-refetch in a log"}
	}
	return m, err
}

// nextVisible returns the next message of a batch as the reader may see it, built
// in buf.
func (rd *reading) nextVisible(b *batch, buf []byte) ([]byte, error) {
	keys := rd.shape.keys()
	for {
		m, err := nextMessage(b)
		if err != nil {
			return nil, err
		}
		element, visible, err := rd.view.apply(buf[:0], m, keys)
		if err != nil {
			return nil, err
		}
		if visible {
			return element, nil
		}
	}
}
