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
	x      *exchange
	diff   rowfilter.Resync
	of     cursor.Resync
	filter *rowfilter.Filter // of the log up to the resync
	rows   *rows             // nil: there are none to ask for
	guard  *guard
}

// newResync compares the client's grants with a decision and asks Electric for the rows in
// question. The log must have been read before. The caller closes it. errStaleHandle says
// that the grants cannot be compared.
func newResync(ctx context.Context, x *exchange, d authz.Decision) (*resync, error) {
	var r *resync
	g, err := x.access.settle(ctx, d, func(d authz.Decision) (_ authz.Decision, err error) {
		r.Close()
		r, err = compare(ctx, x, d)
		return d, err
	})
	if err != nil {
		r.Close()
		return nil, err
	}
	x.server.metrics.resyncs.WithLabelValues(x.req.shape.def.Name).Inc()
	if r.guard = g; g.isNarrowed() {
		r.filter = r.filter.Narrowed(g.permitted)
	}
	return r, nil
}

// compare compares the client's grants with a decision and asks Electric for the rows in
// question. The resync has no guard yet.
func compare(ctx context.Context, x *exchange, d authz.Decision) (*resync, error) {
	named := x.named()
	held, err := named.mayHold(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, g := range append(held, d.Grants) {
		if g.IsEverything() {
			return nil, errStaleHandle // to or from every row: there are no ids to compare
		}
	}
	lost, err := named.interrupted()
	if err != nil {
		return nil, err
	}
	unkept, all := named.client.cursor.Unkept()
	lost = lost.Or(grantsOfIDs(d.Grants, unkept))
	r := &resync{
		x:    x,
		diff: rowfilter.NewResync(named.rule, d.Grants, held[0], held[1:], lost),
		of:   cursor.Resync{To: cursor.Named(d), At: d.At, ByKey: named.rule.ByKey()},
	}
	if all {
		r.diff = r.diff.Keeping(authz.Grants{})
	}
	if err := r.keep(ctx, named, d, held[0]); err != nil {
		return nil, err
	}
	if r.filter, err = named.filterOf(ctx, d, held, lost); err != nil {
		return nil, err
	}
	return r, r.ask(ctx)
}

// keep decides what was kept through the resync, and notes for the cursor what was not.
// Where the cursor cannot name that, the rows come anew.
func (r *resync) keep(ctx context.Context, named *namedGrants, d authz.Decision, served authz.Grants) error {
	kept, before := r.diff.Kept, served
	if named.client.cursor.MustCollapse() {
		steps, err := named.steps(ctx, d, served)
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
	interrupted := before.And(d.Grants).Minus(kept)
	r.of.Interrupted = idsOf(interrupted, len(named.rule.Filters), cursor.MaxInterrupted)
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
	if r.rows, err = r.x.snapshots.open(ctx, &subset.Request{}, asked); err != nil {
		return r.x.req.explain(err)
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

// answer answers a read of the log that has reached its end.
func (r *resync) answer(ctx context.Context, p *feed.Part) error {
	c := &r.x.client
	next, ok := c.cursor.Resynced(r.of)
	if !ok {
		return errStaleHandle
	}
	c.become(next, true)
	c.passed(p, r.guard.named)
	if err := r.guard.leaveOut(c); err != nil {
		return err
	}
	out := beginArray(r.x.w, r.x.head(p))
	upToDate, err := r.writeAfter(ctx, p, out.add)
	if err != nil {
		return aborted(err)
	}
	_ = out.add(upToDate)
	return out.end()
}

// writeAfter sends the log up to the resync, the resync, and the present state of the rows
// that late messages take away. It returns the up-to-date message that comes next.
func (r *resync) writeAfter(ctx context.Context, p *feed.Part, send func(message []byte) error) (upToDate []byte, err error) {
	part := newLogPart(&r.x.snapshots, p, r.filter, r.guard)
	if err := part.writeMessages(ctx, send); err != nil {
		return nil, err
	}
	if err := r.write(ctx, send); err != nil {
		return nil, err
	}
	// The handle names the grants of today.
	today := rowfilter.Steady(part.rule, r.guard.named.Grants).Narrowed(r.guard.permitted)
	return part.end(), part.late.write(ctx, today, r.guard, send)
}
