package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// waitGrace is how much longer than its own long-poll timeout a request lets
// Electric wait: Electric's timeout then usually comes first, and its connection
// stays whole for the next request.
const waitGrace = time.Second

// serveLive answers a long-poll: as soon as there is something after the offset
// that the reader may see, or when it has waited long enough. What it may not
// see does not end the wait, and moves the offset of the answer on.
func (rd *reading) serveLive(ctx context.Context, w http.ResponseWriter, log shapeLog, h handle) error {
	deadline := rd.h.now().Add(rd.h.longPollTimeout)
	at, cursor := rd.resume(h), rd.cursor
	for {
		left := deadline.Sub(rd.h.now())
		if left <= 0 {
			return rd.answerNothing(w, h, at, cursor, nil)
		}
		b, err := rd.await(ctx, log, at, cursor, left+waitGrace)
		if errors.Is(err, errWaitOver) {
			return rd.answerNothing(w, h, at, cursor, nil)
		}
		if err != nil {
			return staleHandle(err)
		}
		done, err := rd.answerBatch(ctx, w, h, b)
		if err := errors.Join(err, b.Close()); err != nil || done {
			return err
		}
		at, cursor = b.end, b.cursor
	}
}

// answerBatch answers a long-poll with a batch, unless it holds changes of which
// the reader may see none.
func (rd *reading) answerBatch(ctx context.Context, w http.ResponseWriter, h handle, b *batch) (done bool, err error) {
	found, err := rd.firstVisible(ctx, b, h)
	switch {
	case err != nil:
		return false, err
	case found.element != nil:
		return true, rd.deliver(w, b, h, found)
	case !found.changes: // Electric's own timeout
		return true, rd.answerNothing(w, h, b.end, b.cursor, found.control)
	default:
		return false, nil
	}
}

// answerNothing answers a long-poll that nothing visible came for.
func (rd *reading) answerNothing(w http.ResponseWriter, h handle, at position, cursor string, control [][]byte) error {
	if len(control) == 0 {
		control = [][]byte{upToDateMessage(at.offset.LSN())}
		cursor = nextCursor(rd.h.now(), cursor)
	}
	out := beginArray(w, shapeHeaders{handle: h.String(), offset: at.offset, cursor: cursor, upToDate: true})
	for _, message := range control {
		_ = out.add(message)
	}
	return out.end()
}

// found is what a first look into a batch showed.
type found struct {
	changes bool     // it holds changes of rows, visible or not
	control [][]byte // the control messages before element or, without one, all
	element []byte   // the first change that the reader may see, as it may see it
}

// firstVisible looks for the first message of a batch that the reader may see. As
// soon as the batch turns out to hold changes, who may see them is asked anew:
// they were written since it was asked before. If the answer is another one than
// the handle names, the client has to begin anew.
func (rd *reading) firstVisible(ctx context.Context, b *batch, h handle) (f found, err error) {
	keys := rd.shape.keys()
	for {
		m, err := nextMessage(b)
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return f, err
		}
		if m.Operation == electric.Control {
			f.control = append(f.control, bytes.Clone(m.Raw))
			continue
		}
		if !f.changes {
			f.changes = true
			if err := rd.reauthorize(ctx, h); err != nil {
				return f, err
			}
		}
		element, visible, err := rd.view.apply(nil, m, keys)
		if err != nil {
			return f, err
		}
		if visible {
			f.element = element
			return f, nil
		}
	}
}

// reauthorize asks anew who sends the request and what they may see, and makes
// sure that it is what the client's handle says. A request that waited must ask
// before it delivers: neither a token nor a grant from before the wait is good
// for what was written since.
func (rd *reading) reauthorize(ctx context.Context, h handle) error {
	subject, err := rd.h.subject(ctx, rd.creds)
	if err != nil {
		return err
	}
	rd.context.time = rd.h.now()
	now, err := rd.decide(ctx, subject)
	if err != nil {
		return err
	}
	if subject.ObjectRef != rd.subject.ObjectRef || now.fingerprint != h.fingerprint {
		return errStaleHandle
	}
	rd.access = now
	return nil
}
