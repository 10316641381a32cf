package proxy

import (
	"context"
	"strconv"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/permissions"
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
	notes *notes
}

// grantsLog is the handle of the log of each collection, in the place of Electric's.
const grantsLog = "grants"

// farAhead is how far the clock of another replica may be ahead of this one's. An offset
// from beyond was not given out.
const farAhead = time.Hour

// placeAfter returns a place after an offset: now, unless another replica's clock is ahead.
// Its LSN has no mark.
func placeAfter(after electric.Offset, now time.Time) (feed.Place, error) {
	const step = 8 // see electric.Marked
	lsn := uint64(max(now.UnixMicro(), 0))
	if after.IsPosition() {
		if after.LSN() > lsn+uint64(farAhead.Microseconds()) {
			return feed.Place{}, errStaleHandle
		}
		lsn = max(lsn, after.LSN()+step)
	}
	at, err := electric.ParseOffset(strconv.FormatUint(lsn, 10) + "_0")
	return feed.Place{Handle: grantsLog, Offset: at.Unmarked()}, err
}

func (s *grantsSource) firstRead(x *exchange, d authz.Decision) answer { return &initialRead{x, d} }

func (s *grantsSource) position(context.Context) (feed.Place, *electric.Schema, error) {
	at, err := placeAfter(electric.Now, time.Now())
	return at, s.table.Schema(), err
}

func (s *grantsSource) positionNow(ctx context.Context) (feed.Place, *electric.Schema, error) {
	return s.position(ctx)
}

func (s *grantsSource) read(_ context.Context, after feed.Place) (*feed.Part, error) {
	if after.Handle != grantsLog {
		return nil, errStaleHandle
	}
	end, err := placeAfter(after.Offset, time.Now())
	if err != nil {
		return nil, err
	}
	return s.emptyPart(end), nil
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

func (s *grantsSource) open(_ context.Context, asked *subset.Request, g authz.Grants) (snapshot, error) {
	selected, err := s.table.Select(asked)
	if err != nil {
		return nil, err
	}
	at, _, err := s.position(context.Background())
	if err != nil {
		return nil, err
	}
	ids, leftOut := s.table.IDs(g)
	if leftOut > 0 {
		s.notes.leftOut(s.def.Name, permissions.IDColumn, s.def.ColumnType, leftOut)
	}
	return &grantsSnapshot{at: at, table: s.table, ids: selected.Of(ids)}, nil
}

func (s *grantsSource) release() {}

// grantsSnapshot is the rows of a collection for some grants.
type grantsSnapshot struct {
	at    feed.Place
	table *permissions.Table
	ids   []string
}

func (g *grantsSnapshot) begin() (feed.Place, *electric.Schema) { return g.at, g.table.Schema() }

// Fence is that of rows which no message can be older than.
func (g *grantsSnapshot) Fence() (electric.Fence, error) { return electric.Fence{}, nil }

// meta is of a snapshot that has seen no transaction of Postgres: nobody waits for one here.
func (g *grantsSnapshot) meta() *electric.Metadata {
	lsn := strconv.FormatUint(g.at.Offset.LSN(), 10)
	return &electric.Metadata{
		Raw:  []byte(`{"xmin":"0","xmax":"0","xip_list":[],"snapshot_mark":0,"database_lsn":"` + lsn + `"}`),
		XMin: []byte(`"0"`), XMax: []byte(`"0"`), XIPList: []byte(`[]`), DatabaseLSN: []byte(`"` + lsn + `"`),
	}
}

// write writes the rows of what is permitted as it begins: what was lost since the rows were
// asked for is left out, and the answer's handle says so.
func (g *grantsSnapshot) write(ctx context.Context, out *arrayWriter, guard *guard) error {
	permitted := guard.permitted
	var buf []byte
	for _, id := range g.ids {
		if err := guard.stays(ctx, permitted); err != nil {
			return err
		}
		if buf = g.table.AppendRow(buf[:0], permitted, id); len(buf) == 0 {
			continue
		}
		if err := out.add(buf); err != nil {
			return err
		}
	}
	return nil
}

// errRowsChanged says that an answer of a collection cannot be completed.
var errRowsChanged = &problem{kind: unavailable, message: "your permissions change too fast", cause: errLeftOut}

// stays decides anew if the last decision is too old. errRowsChanged says that less is
// permitted than when the answer began. A row of a collection says what is held and what is
// not: it cannot be left out any more, as a row of a table can. So the answer is cut, and the
// client asks again.
func (g *guard) stays(ctx context.Context, permitted authz.Grants) error {
	renewed, err := g.check(ctx)
	if err == nil && renewed && !g.permitted.Equal(permitted) {
		err = errRowsChanged
	}
	return err
}

func (g *grantsSnapshot) Close() {}

// grantsResync is the resync of a collection: the rows that have changed.
type grantsResync struct{ change *permissions.Change }

// resync compares the client's grants with a decision. There is nobody to ask for rows.
// errStaleHandle says that the grants cannot be compared.
func (s *grantsSource) resync(ctx context.Context, x *exchange, d authz.Decision) (*resync, error) {
	named := x.named()
	held, err := named.mayHold(ctx, d)
	if err != nil {
		return nil, err
	}
	x.server.metrics.resyncs.WithLabelValues(s.def.Name).Inc()
	return &resync{
		x: x, guard: guardOf(x.access, d),
		of:   cursor.Resync{To: cursor.Named(d), At: d.At},
		body: &grantsResync{s.table.NewChange(held, d.Grants)},
	}, nil
}

func (r *grantsResync) write(ctx context.Context, p *feed.Part, g *guard, send func(message []byte) error) (upToDate []byte, err error) {
	permitted := g.permitted
	var buf []byte
	for _, id := range r.change.IDs() {
		if err := g.stays(ctx, permitted); err != nil {
			return nil, err
		}
		if buf = r.change.Append(buf[:0], id); len(buf) == 0 {
			continue
		}
		if err := send(buf); err != nil {
			return nil, err
		}
	}
	return feed.UpToDateMessage(p.LastSeen), nil
}

func (r *grantsResync) Close() {}
