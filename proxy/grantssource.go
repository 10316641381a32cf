package proxy

import (
	"context"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/rowfilter"
	"github.com/shapegate/shapegate/proxy/subset"
)

// grantsSource is the source of a collection of grants. Its log has no messages: all that
// changes are the grants of the reader, so that all of it is resyncs. A position in it is a
// time, so that a later answer has a higher one:
//
//	1795545600000000_0
type grantsSource struct {
	*collection
	selected *subset.Selection // what the client asks of the rows
	notes    *notes
}

// grantsLog is the handle of the log of each collection, in the place of Electric's.
const grantsLog = "grants"

// farAhead is how far the clock of another replica may be ahead of this one's. An offset
// from beyond was not given out.
const farAhead = time.Hour

// placeAt returns the place of a time. Its LSN has no mark.
func placeAt(micros uint64) feed.Place {
	return feed.Place{Handle: grantsLog, Offset: electric.TransactionAt(micros).Unmarked()}
}

func microsNow() uint64 { return uint64(max(time.Now().UnixMicro(), 0)) }

func (s *grantsSource) firstRead(x *exchange, d authz.Decision) answer { return &initialRead{x, d} }

func (s *grantsSource) position(context.Context) (feed.Place, *electric.Schema, error) {
	return placeAt(microsNow()), s.table.Schema(), nil
}

func (s *grantsSource) positionNow(ctx context.Context) (feed.Place, *electric.Schema, error) {
	return s.position(ctx)
}

func (s *grantsSource) read(_ context.Context, after feed.Place) (*feed.Part, error) {
	const step = 8 // see electric.Marked
	from, now := after.Offset.LSN(), microsNow()
	if after.Handle != grantsLog || from > now+uint64(farAhead.Microseconds()) {
		return nil, errStaleHandle
	}
	// After the place, also where the clock of another replica is ahead.
	return s.emptyPart(placeAt(max(now, from+step))), nil
}

// emptyPart is a part that ends at a place, which is the end of the log.
func (s *grantsSource) emptyPart(end feed.Place) *feed.Part {
	return &feed.Part{End: end, Schema: s.table.Schema(), UpToDate: true, LastSeen: end.Offset.LSN()}
}

func (s *grantsSource) join(_ context.Context, after feed.Place, _ authz.Decision, _ *client) (waiter, *feed.Part, error) {
	return &grantsWaiter{s.emptyPart(after)}, nil, nil
}

// grantsWaiter waits for the end of a wait: no message comes.
type grantsWaiter struct{ part *feed.Part }

// Wait is as feed.Waiter's. Thousands of goroutines wait here: it needs little stack.
func (w *grantsWaiter) Wait(ctx context.Context, until feed.Until) (*feed.Part, error) {
	select {
	case <-until.Changed:
		return w.part, feed.ErrChanged
	case <-until.Ended:
		return w.part, feed.ErrChanged
	case <-until.Timer:
		return w.part, feed.ErrOver
	case <-until.Drained:
		return w.part, feed.ErrOver
	case <-ctx.Done():
		return w.part, context.Cause(ctx)
	}
}

func (s *grantsSource) shared(*feed.Part, authz.Decision) (*feed.Answer, bool, error) {
	return nil, false, nil
}

func (s *grantsSource) filtered(_ context.Context, r *logRead) (*logPart, error) {
	rule := &rowfilter.Rule{} // there are no messages to filter
	return &logPart{part: r.part, rule: rule, filter: rowfilter.Steady(rule, r.d.Grants), guard: guardOf(r.x.access, r.d)}, nil
}

func (s *grantsSource) release() {}
