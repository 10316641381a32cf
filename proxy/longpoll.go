package proxy

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/shapegate/shapegate/proxy/feed"
)

// longPoll is a live read. It is answered as soon as the log has a visible message, as
// soon as the client's grants change, or after the time-out. A message that the reader
// may not see does not end the wait: the answer moves the client's offset on.
type longPoll struct {
	x        *exchange
	at       feed.Place
	upToDate bool // at is the end of the log
	deadline time.Time
	until    feed.Until
	reader   waiter // nil: there is something to read at once

	timer   *time.Timer // until the deadline
	unwatch func()      // ends the watch of the credentials
}

func newLongPoll(x *exchange) *longPoll {
	return &longPoll{x: x, at: x.client.place(), upToDate: true, deadline: time.Now().Add(spread(x.server.holding.longPoll))}
}

// serve waits. Thousands of goroutines are blocked in feed.Waiter.Wait, which is called from
// here: so whatever is done before and after is done in calls that have returned, and takes
// no stack meanwhile.
func (p *longPoll) serve(ctx context.Context) error {
	p.start()
	defer p.stop()
	for {
		if done, err := p.begin(ctx); done || err != nil {
			return err
		}
		if p.reader == nil {
			continue
		}
		part, err := p.reader.Wait(ctx, p.until)
		if done, err := p.take(ctx, part, err); done || err != nil {
			return err
		}
	}
}

// start makes what ends the wait, and stop ends it.
func (p *longPoll) start() {
	p.timer = time.NewTimer(time.Until(p.deadline))
	p.until = feed.Until{Drained: p.x.server.holding.draining.Done(), Timer: p.timer.C}
	p.until.Ended, p.unwatch = p.x.server.auth.watch(p.x.access.creds)
}

func (p *longPoll) stop() {
	p.timer.Stop()
	p.unwatch()
}

// begin authorizes the reader, and joins the feed's readers. It reports whether the
// request was answered, because the grants have changed or there was something to read.
func (p *longPoll) begin(ctx context.Context) (done bool, err error) {
	p.reader = nil
	p.until.Changed = p.x.access.sub.Changed() // before the decision, or a change is missed
	d, served, err := p.x.authorizeLog(ctx)
	switch {
	case err != nil:
		return false, err
	case !served:
		return p.change(ctx)
	case !time.Now().Before(p.deadline):
		return true, p.answerNothing(p.at.Offset.LSN())
	}
	reader, part, err := p.x.source.join(ctx, p.at, d, &p.x.client)
	if reader == nil {
		return p.take(ctx, part, err)
	}
	p.reader = reader
	return false, nil
}

// take answers with what the wait has brought, and reports whether the request was
// answered.
func (p *longPoll) take(ctx context.Context, part *feed.Part, err error) (done bool, _ error) {
	switch {
	case errors.Is(err, feed.ErrChanged):
		// What the wait has passed over concerns neither the grants that the client was served
		// nor a snapshot that it has.
		p.reach(part)
		if !part.UpToDate {
			return false, nil // Electric would be asked for what comes next: what is needed is decided first
		}
		return p.change(ctx)
	case errors.Is(err, feed.ErrOver):
		return true, p.timeout(ctx, part)
	case err != nil:
		return false, staleHandle(err)
	}
	return p.read(ctx, part)
}

// read answers with a part of the log, if something of it is visible.
func (p *longPoll) read(ctx context.Context, part *feed.Part) (done bool, err error) {
	defer closing(part)
	if part.Empty() {
		p.reach(part)
		return false, nil
	}
	r := &logRead{x: p.x, part: part}
	r.d, r.served, err = p.x.authorizeLog(ctx)
	if err != nil || !r.served {
		return false, err // not served: the part is read again, as what the resync begins with
	}
	if done, err = r.deliver(ctx, false); err == nil && !done {
		p.reach(part)
	}
	return done, err
}

// timeout answers a long-poll that has waited long enough.
func (p *longPoll) timeout(ctx context.Context, part *feed.Part) error {
	d, served, err := p.x.authorizeLog(ctx)
	if err == nil && !served {
		var done bool
		if done, err = p.change(ctx); done {
			return err
		}
	}
	if err != nil {
		return err
	}
	p.x.client.passed(part, d)
	p.reach(part)
	return p.answerNothing(part.LastSeen)
}

// reach notes that the reader has come to the end of a part that had nothing for it.
func (p *longPoll) reach(part *feed.Part) { p.at, p.upToDate = part.End, part.UpToDate }

// change answers with a resync, if the client's grants have changed. It reports whether it
// did. The log is read up to its end first.
func (p *longPoll) change(ctx context.Context) (done bool, err error) {
	defer wokenByGrants(p.x.access.place, p.x.server.rushes).done() // as others may be, by the same change
	r, err := p.x.readLog(ctx, p.at)
	if err != nil {
		return false, err
	}
	defer closing(r.part)
	if r.served {
		return false, nil
	}
	return true, r.resync(ctx)
}

// answerNothing answers a long-poll that brought nothing visible. Between two chunks of
// Electric's (recording 13) it is not up to date: what is left of a transaction is to come.
func (p *longPoll) answerNothing(lastSeen uint64) error {
	out := beginArray(p.x.w, shapeHeaders{
		handle: p.x.client.sealed(), offset: p.at.Offset, cursor: nextCursor(time.Now(), p.x.req.cursor), upToDate: p.upToDate,
	})
	if p.upToDate {
		_ = out.add(feed.UpToDateMessage(lastSeen))
	}
	return out.end()
}

// spread shortens a wait at random, by up to a quarter: readers that began to wait at the
// same moment, since the same message woke them, do not all come back at the same.
func spread(d time.Duration) time.Duration {
	return d - rand.N(d/4+1) //nolint:gosec // spreading, not guarding
}

// cursorEpoch is what Electric counts its cursors from.
var cursorEpoch = time.Date(2024, time.October, 9, 0, 0, 0, 0, time.UTC)

// nextCursor returns a cursor for an answer that Electric gave none for, made as Electric
// makes them: the seconds since its epoch, in steps of its long-poll timeout, and never
// the one that the client already has.
func nextCursor(now time.Time, previous string) string {
	const step = 20
	n := (int64(now.Sub(cursorEpoch)/time.Second)/step + 1) * step
	if p, err := strconv.ParseInt(previous, 10, 64); err == nil && p >= n && p < math.MaxInt64 {
		n = p + 1
	}
	return strconv.FormatInt(n, 10)
}
