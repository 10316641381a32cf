package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// longPoll is a long-poll. It is answered as soon as there is something after the
// offset that the reader may see, as soon as what it may see changes, or when it has
// waited long enough. What it may not see does not end the wait, and moves the offset
// of the answer on.
type longPoll struct {
	rd       *reading
	w        http.ResponseWriter
	log      shapeLog
	h        handle
	at       feed.Place
	deadline time.Time
	until    feed.Until
	waiter   *feed.Waiter // nil: it need not wait
}

func (rd *reading) newLongPoll(w http.ResponseWriter, log shapeLog, h handle) *longPoll {
	return &longPoll{
		rd: rd, w: w, log: log, h: h, at: rd.resume(h),
		deadline: rd.h.now().Add(spread(rd.h.longPollTimeout)),
	}
}

// wait implements held. See feed.Waiter.Wait for why it does so little itself.
func (p *longPoll) wait(ctx context.Context) error {
	timer := time.NewTimer(p.deadline.Sub(p.rd.h.now()))
	defer timer.Stop()
	p.until = feed.Until{Drained: p.rd.h.draining.Done(), Timer: timer.C}
	for {
		if done, err := p.begin(ctx); done || err != nil {
			return err
		}
		if p.waiter == nil {
			continue
		}
		part, err := p.waiter.Wait(ctx, p.until)
		if done, err := p.take(ctx, part, err); done || err != nil {
			return err
		}
	}
}

// begin asks what the reader may see now, and begins to wait. It reports whether the
// request was answered, because that has changed or there was something to read.
func (p *longPoll) begin(ctx context.Context) (done bool, err error) {
	p.waiter = nil
	p.until.Changed = p.rd.lease.Changed() // before it is asked what the grants are
	c, err := p.rd.reauthorize(ctx, p.h)
	switch {
	case err != nil:
		return false, err
	case !c.Empty():
		return true, p.rd.serveDelta(ctx, p.w, p.log, p.at, p.h)
	case !p.rd.h.now().Before(p.deadline):
		return true, p.rd.answerNothing(p.w, p.rd.current(p.h, c), p.at.Offset, p.at.Offset.LSN())
	}
	w, b, err := p.log.Join(ctx, p.at)
	if w == nil {
		return p.takeBatch(ctx, b, err)
	}
	p.waiter = w
	return false, nil
}

// take takes what a wait has brought, or why it ended, and reports whether the request
// was answered.
func (p *longPoll) take(ctx context.Context, part *feed.Part, err error) (done bool, _ error) {
	b, err := newBatch(part, waitError(err))
	return p.takeBatch(ctx, b, err)
}

func (p *longPoll) takeBatch(ctx context.Context, b *batch, err error) (done bool, _ error) {
	switch {
	case errors.Is(err, errGrantsChanged):
		return false, nil // and is where it was: of a change, what was passed over may count
	case errors.Is(err, errWaitOver):
		return true, p.timeout(ctx, b)
	case err != nil:
		return false, staleHandle(err)
	}
	done, err = p.rd.answerBatch(ctx, p.w, p.h, b)
	err = errors.Join(err, b.Close())
	switch {
	case errors.Is(err, errGrantsChanged):
		return false, nil // the batch is read again, as what the delta begins with
	case err != nil || done:
		return done, err
	}
	p.at = b.End
	return false, nil
}

// timeout answers a long-poll that has waited long enough.
func (p *longPoll) timeout(ctx context.Context, b *batch) error {
	c, err := p.rd.reauthorize(ctx, p.h)
	switch {
	case err != nil:
		return err
	case !c.Empty():
		return p.rd.serveDelta(ctx, p.w, p.log, p.at, p.h)
	}
	return p.rd.answerNothing(p.w, p.rd.current(p.h, c), b.End.Offset, b.LastSeen)
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
	answer, ok, err := rd.shared(b)
	switch {
	case err != nil:
		return false, err
	case ok:
		return rd.answerShared(ctx, w, h, b, answer)
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

// answerShared answers a long-poll with what its cohort is sent of a batch, if that
// is anything. Who may see it is asked anew, as for any batch.
func (rd *reading) answerShared(ctx context.Context, w http.ResponseWriter, h handle, b *batch, answer *feed.Answer) (done bool, err error) {
	if b.Empty() {
		return false, nil
	}
	c, err := rd.reauthorize(ctx, h)
	switch {
	case err != nil:
		return false, err
	case !c.Empty():
		return false, errGrantsChanged
	case len(answer.Elements) == 0:
		return false, nil
	}
	return true, rd.deliverShared(w, b, rd.current(h, c), answer)
}

// answerNothing answers a long-poll that nothing visible came for.
func (rd *reading) answerNothing(w http.ResponseWriter, h handle, at electric.Offset, lastSeen uint64) error {
	out := beginArray(w, shapeHeaders{handle: h.String(), offset: rd.offsetFor(h, at), cursor: nextCursor(rd.h.now(), rd.cursor), upToDate: true})
	_ = out.add(feed.UpToDateMessage(lastSeen))
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
