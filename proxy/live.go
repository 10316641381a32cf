package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// serveLive answers a long-poll: as soon as there is something after the offset
// that the reader may see, as soon as what it may see changes, or when it has
// waited long enough. What it may not see does not end the wait, and moves the
// offset of the answer on.
func (rd *reading) serveLive(ctx context.Context, w http.ResponseWriter, log shapeLog, h handle) error {
	deadline := rd.h.now().Add(spread(rd.h.longPollTimeout))
	at := rd.resume(h)
	for {
		changed := rd.lease.Changed() // before it is asked what the grants are
		c, err := rd.reauthorize(ctx, h)
		if err != nil {
			return err
		}
		if !c.Empty() {
			return rd.serveDelta(ctx, w, log, at, h)
		}
		left := deadline.Sub(rd.h.now())
		if left <= 0 {
			return rd.answerNothing(w, rd.current(h, c), at.Offset)
		}
		b, err := rd.await(ctx, log, at, left, changed)
		if err != nil && b != nil {
			at = b.End
		}
		switch {
		case errors.Is(err, errGrantsChanged):
			continue
		case errors.Is(err, errWaitOver):
			return rd.answerNothing(w, rd.current(h, c), at.Offset)
		case err != nil:
			return staleHandle(err)
		}
		done, err := rd.answerBatch(ctx, w, h, b)
		err = errors.Join(err, b.Close())
		switch {
		case errors.Is(err, errGrantsChanged):
			continue // the batch is read again, as what the delta begins with
		case err != nil || done:
			return err
		}
		at = b.End
	}
}

// serveDelta answers a long-poll whose reader's grants have changed.
func (rd *reading) serveDelta(ctx context.Context, w http.ResponseWriter, log shapeLog, at feed.Place, h handle) error {
	b, err := log.Read(ctx, at)
	if err != nil {
		return staleHandle(err)
	}
	defer b.Close()
	c, err := rd.reauthorize(ctx, h) // since what the batch holds was written
	if err != nil {
		return err
	}
	return rd.deliverDelta(ctx, w, log, b, h, c)
}

// answerBatch answers a long-poll with a batch, unless it holds changes of which
// the reader may see none.
func (rd *reading) answerBatch(ctx context.Context, w http.ResponseWriter, h handle, b *batch) (done bool, err error) {
	if answer, ok, err := rd.shared(b); err != nil || ok {
		return rd.answerShared(ctx, w, h, b, answer, err)
	}
	found, c, err := rd.firstVisible(ctx, b, h)
	switch {
	case err != nil:
		return false, err
	case found.visible:
		return true, rd.deliver(ctx, w, b, rd.current(h, c), found, rd.steady())
	default:
		return false, nil
	}
}

// answerShared answers a long-poll with what its audience is sent of a batch, if that
// is anything. Who may see it is asked anew, as for any batch.
func (rd *reading) answerShared(ctx context.Context, w http.ResponseWriter, h handle, b *batch, answer *feed.Answer, err error) (done bool, _ error) {
	if err != nil || len(answer.Elements) == 0 {
		return false, err
	}
	c, err := rd.reauthorize(ctx, h)
	switch {
	case err != nil:
		return false, err
	case !c.Empty():
		return false, errGrantsChanged
	}
	return true, rd.deliverShared(w, b, rd.current(h, c), answer)
}

// answerNothing answers a long-poll that nothing visible came for.
func (rd *reading) answerNothing(w http.ResponseWriter, h handle, at electric.Offset) error {
	out := beginArray(w, shapeHeaders{handle: h.String(), offset: at, cursor: nextCursor(rd.h.now(), rd.cursor), upToDate: true})
	_ = out.add(feed.UpToDateMessage(at.LSN()))
	return out.end()
}

// found is what a first look into a batch showed.
type found struct {
	changes bool     // it holds changes of rows, visible or not
	visible bool     // one of them is; it is the next message that the batch has
	control [][]byte // the control messages before it or, without one, all
}

// firstVisible looks for the first message of a batch that the reader may see. As
// soon as the batch turns out to hold changes, who may see them is asked anew:
// they were written since it was asked before. If the answer is another one than
// the handle names, it returns errGrantsChanged.
func (rd *reading) firstVisible(ctx context.Context, b *batch, h handle) (f found, c authz.Change, err error) {
	keys := rd.shape.keys()
	if c, err = rd.since(h); err != nil {
		return f, c, err
	}
	for {
		m, err := nextMessage(b)
		if errors.Is(err, io.EOF) {
			return f, c, nil
		}
		if err != nil {
			return f, c, err
		}
		if m.Operation == electric.Control {
			f.control = append(f.control, bytes.Clone(m.Raw))
			continue
		}
		if !f.changes {
			f.changes = true
			if c, err = rd.reauthorize(ctx, h); err != nil {
				return f, c, err
			}
			if !c.Empty() {
				return f, c, errGrantsChanged
			}
		}
		through := rd.steady()
		if _, f.visible, err = through.apply(nil, m, keys); err != nil {
			return f, c, err
		}
		if f.visible {
			b.unread(m)
			return f, c, nil
		}
	}
}
