package proxy

import (
	"context"
	"errors"
	"io"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/rowfilter"
	"github.com/shapegate/shapegate/proxy/subset"
)

// resync is the part of an answer that brings a client from the grants that it was served
// to those of a decision: deletes, then rows.
type resync struct {
	x     *exchange
	d     authz.Decision
	diff  rowfilter.Resync
	rows  *rows // nil: there are none to ask for
	of    cursor.Resync
	guard *guard

	filter *rowfilter.Filter // of the log up to the resync
}

// newResync compares the client's grants with a decision and asks Electric for the rows in
// question. The log must have been read before. The caller closes it. errStaleHandle says
// that the grants cannot be compared.
func (x *exchange) newResync(ctx context.Context, d authz.Decision) (*resync, error) {
	var r *resync
	g, err := x.settle(ctx, d, func(d authz.Decision) (_ authz.Decision, err error) {
		r.Close()
		r, err = x.askForResync(ctx, d)
		return d, err
	})
	if err != nil {
		r.Close()
		return nil, err
	}
	if r.guard = g; g.isNarrowed() {
		r.filter = r.filter.Narrowed(g.permitted)
	}
	return r, nil
}

// askForResync compares the client's grants with a decision and asks Electric for the rows
// in question.
func (x *exchange) askForResync(ctx context.Context, d authz.Decision) (*resync, error) {
	c := &x.client.cursor
	held, err := x.recallAll(ctx, d, c.MayHold())
	if err != nil {
		return nil, err
	}
	for _, g := range append(held, d.Grants) {
		if g.IsEverything() {
			return nil, errStaleHandle // to or from every row: there are no ids to compare
		}
	}
	lost, err := x.interrupted()
	if err != nil {
		return nil, err
	}
	r := &resync{x: x, d: d, diff: rowfilter.NewResync(x.shape.table.rule(), d.Grants, held[0], held[1:], lost)}
	r.of = cursor.Resync{To: cursor.Named(d), At: d.At, ByKey: x.shape.table.rule().ByKey()}
	if err := r.keep(ctx, held[0]); err != nil {
		return nil, err
	}
	if r.filter, err = x.filterOfResync(ctx, d, held, lost); err != nil {
		return nil, err
	}
	return r, r.ask(ctx)
}

// keep decides what was kept through the resync, and notes for the cursor what was not.
// Where the cursor cannot name that, the rows come anew.
func (r *resync) keep(ctx context.Context, served authz.Grants) error {
	kept, before := r.diff.Kept, served
	if r.x.client.cursor.MustCollapse() {
		steps, err := r.x.steps(ctx, r.d, served)
		if err != nil {
			return err
		}
		r.of.Collapses = true
		for _, s := range steps {
			kept = kept.And(s.Kept)
		}
		if len(steps[0].Held) > 0 {
			before = steps[0].Held[0]
		} else {
			kept = authz.Grants{}
		}
		r.diff = r.diff.Keeping(kept)
	}
	interrupted := before.And(r.d.Grants).Minus(kept)
	r.of.Interrupted = idsOf(interrupted, len(r.x.shape.def.Authorize.Filter), cursor.MaxInterrupted)
	if r.of.Interrupted == nil && !interrupted.IsEmpty() || kept.IsEmpty() && r.of.Collapses {
		r.of.Fresh, r.of.Interrupted = true, nil
		r.diff = r.diff.Keeping(authz.Grants{})
	}
	return nil
}

// ask asks Electric for the rows that come and, where an id is not the key of a row, for
// those that go.
func (r *resync) ask(ctx context.Context) error {
	asked := r.diff.Ask()
	if asked.IsEmpty() {
		return nil
	}
	var err error
	if r.rows, err = r.x.openRows(ctx, &subset.Request{}, asked); err != nil {
		return r.x.explain(err)
	}
	r.of.Fence, err = r.rows.Fence()
	return err
}

// Close ends the snapshot that is being read, if there is one.
func (r *resync) Close() {
	if r != nil {
		r.rows.Close()
	}
}

// write sends what goes, then what comes and, if rows were asked for, which transactions
// they have seen.
func (r *resync) write(ctx context.Context, send func(message []byte) error) error {
	var buf []byte
	for _, id := range r.diff.Gone() {
		buf = r.diff.DeleteOf(buf[:0], id)
		if err := send(buf); err != nil {
			return err
		}
	}
	if r.rows == nil {
		return nil
	}
	for {
		m, err := r.rows.Next()
		if errors.Is(err, io.EOF) {
			return send(snapshotEnd(r.rows.metadata))
		}
		if err != nil {
			return err
		}
		if _, err := r.guard.check(ctx); err != nil {
			return err
		}
		if buf, err = r.diff.Row(buf[:0], m, r.guard.permitted); err != nil {
			return err
		}
		if len(buf) > 0 {
			if err := send(buf); err != nil {
				return err
			}
		}
	}
}

// serveResync answers a read of the log by a client whose grants have changed: with the
// log up to the feed's position, the rows that go and come, and a handle that names the
// grants of today.
//
// A part that does not reach the end of the log comes alone, under the handle that the
// client has: the rows are as of now, and the log has to be read up to then first.
func (x *exchange) serveResync(ctx context.Context, p *feed.Part, d authz.Decision) error {
	if !p.UpToDate {
		return x.servePart(ctx, p, d)
	}
	r, err := x.newResync(ctx, d)
	if err != nil {
		return err
	}
	defer r.Close()
	next, ok := x.client.cursor.Resynced(r.of)
	if !ok {
		return errStaleHandle
	}
	x.become(next, true)
	x.passed(p, r.d)
	if err := x.leaveOut(r.guard); err != nil {
		return err
	}
	out := beginArray(x.w, x.headOf(p))
	part := &logPart{x: x, part: p, filter: r.filter, guard: r.guard}
	if err := r.writeAll(ctx, part, out.add); err != nil {
		return aborted(err)
	}
	_ = out.add(part.end())
	return out.end()
}

// writeAll sends the log up to the resync, the resync, and the present state of the rows
// that late messages take away.
func (r *resync) writeAll(ctx context.Context, part *logPart, send func(message []byte) error) error {
	if err := part.write(ctx, send); err != nil {
		return err
	}
	if err := r.write(ctx, send); err != nil {
		return err
	}
	// The handle names the grants of today.
	part.filter = rowfilter.Steady(r.x.shape.table.rule(), r.d.Grants).Narrowed(r.guard.permitted)
	return part.askAgain(ctx, send)
}

// onward prepares the client's cursor for an answer without the resync that it needs.
func (x *exchange) onward(d authz.Decision) error {
	next, ok := x.client.cursor.Onward(d)
	if !ok {
		return errStaleHandle
	}
	x.become(next, true)
	return nil
}

// servePart answers with a part of the log that does not reach its end.
func (x *exchange) servePart(ctx context.Context, p *feed.Part, d authz.Decision) error {
	filter, err := x.filterFor(ctx, d, p, false)
	if err != nil {
		return err
	}
	if err := x.onward(d); err != nil {
		return err
	}
	out := beginArray(x.w, x.headOf(p))
	part := x.newLogPart(p, d, filter)
	err = part.write(ctx, out.add)
	if err == nil {
		err = part.askAgain(ctx, out.add)
	}
	if err != nil {
		return aborted(err)
	}
	return out.end()
}

// filterFor returns the filter of a part of the log, whether or not the client has what it
// may see.
func (x *exchange) filterFor(ctx context.Context, d authz.Decision, p *feed.Part, served bool) (*rowfilter.Filter, error) {
	if served {
		return x.filter(ctx, d, x.mayBeLate(p))
	}
	lost, err := x.interrupted()
	if err != nil {
		return nil, err
	}
	held, err := x.recallAll(ctx, d, x.client.cursor.MayHold())
	if err != nil {
		return nil, err
	}
	return x.filterOfResync(ctx, d, held, lost)
}
