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

// rowResync is the resync of a shape: deletes, then rows.
type rowResync struct {
	source *shapeSource
	*comparison
	filter *rowfilter.Filter // of the log up to the resync; nil: the part of it is empty
	rows   *rows             // nil: there are none to ask for
}

// resync compares the client's grants with a decision and asks Electric for the rows in
// question. errStaleHandle says that the grants cannot be compared.
func (s *shapeSource) resync(ctx context.Context, l *logRead) (*resync, error) {
	x := l.x
	var body *rowResync
	r := &resync{x: x}
	g, err := x.access.settle(ctx, l.d, func(d *authz.Decision) (err error) {
		body.Close()
		body, err = s.compare(ctx, l, d, &r.of)
		return err
	})
	if err != nil {
		body.Close()
		return nil, err
	}
	x.server.metrics.resyncs.WithLabelValues(x.req.def.Name).Inc()
	if g.isNarrowed() && body.filter != nil {
		body.filter = body.filter.Narrowed(g.permitted)
	}
	r.guard, r.body = g, body
	return r, nil
}

// compare compares the client's grants with a decision and asks Electric for the rows in
// question. It says in of what the cursor has to know.
func (s *shapeSource) compare(ctx context.Context, l *logRead, d *authz.Decision, of *cursor.Resync) (*rowResync, error) {
	named := s.named(l.x)
	lost, err := named.interrupted()
	if err != nil {
		return nil, err
	}
	*of = cursor.Resync{To: cursor.Named(*d), At: d.At, ByKey: named.rule.ByKey()}
	r := &rowResync{source: s}
	key, isPlain := named.comparisonKey(d, lost)
	isPlain = isPlain && l.part.Empty()
	if isPlain {
		r.comparison = s.shape.compared.find(key)
	}
	if r.comparison == nil {
		r.comparison = &comparison{}
		if err := r.compare(ctx, named, l.part, *d, lost, of); err != nil {
			return nil, err
		}
		if isPlain {
			s.shape.compared.add(key, r.comparison)
		}
	}
	return r, r.ask(ctx, of)
}

// compare is shapeSource.compare without asking. lost are the ids that were interrupted.
func (r *rowResync) compare(ctx context.Context, named *namedGrants, p *feed.Part, d authz.Decision, lost authz.Grants, of *cursor.Resync) error {
	held, err := named.mayHold(ctx, d)
	if err != nil {
		return err
	}
	for _, g := range append(held, d.Grants) {
		if g.IsEverything() {
			return errStaleHandle // to or from every row: there are no ids to compare
		}
	}
	unkept, all := named.client.cursor.Unkept()
	lost = lost.Or(grantsOfIDs(d.Grants, unkept))
	r.diff = rowfilter.NewResync(named.rule, d.Grants, held[0], held[1:], lost)
	if all {
		r.diff = r.diff.Keeping(authz.Grants{})
	}
	if err := r.keep(ctx, named, d, held[0], of); err != nil {
		return err
	}
	if !p.Empty() {
		if r.filter, err = named.filterOf(ctx, d, held, lost); err != nil {
			return err
		}
	}
	if asked := r.diff.Ask(); !asked.IsEmpty() {
		r.plan, err = r.source.snapshots.plan(&subset.Request{}, asked)
	}
	return err
}

// keep decides what was kept through the resync, and notes for the cursor what was not.
// Where the cursor cannot name that, the rows come anew.
func (r *rowResync) keep(ctx context.Context, named *namedGrants, d authz.Decision, served authz.Grants, of *cursor.Resync) error {
	kept, before := r.diff.Kept, served
	if named.client.cursor.MustCollapse() {
		steps, err := named.steps(ctx, d, served)
		if err != nil {
			return err
		}
		of.Collapses = true
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
	of.Interrupted = idsOf(interrupted, len(named.rule.Filters), cursor.MaxInterrupted)
	if of.Interrupted == nil && !interrupted.IsEmpty() || kept.IsEmpty() && of.Collapses {
		of.Fresh, of.Interrupted = true, nil
		r.diff = r.diff.Keeping(authz.Grants{})
	}
	return nil
}

// ask asks Electric for the rows that come and, where an id is not the key of a row, for
// those that go.
func (r *rowResync) ask(ctx context.Context, of *cursor.Resync) error {
	if r.plan == nil {
		return nil
	}
	var err error
	if r.rows, err = r.source.snapshots.ask(ctx, r.plan); err != nil {
		return r.source.req.explain(err)
	}
	of.Fence, err = r.rows.Fence()
	return err
}

// Close ends the snapshot that is being read, if there is one.
func (r *rowResync) Close() {
	if r != nil {
		r.rows.Close()
	}
}

// writeRows sends what goes, then what comes and, if rows were asked for, which transactions
// they have seen.
func (r *rowResync) writeRows(ctx context.Context, g *guard, send func(message []byte) error) error {
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
		if _, err := g.check(ctx); err != nil {
			return err
		}
		if buf, err = r.diff.Row(buf[:0], m, g.permitted); err != nil {
			return err
		}
		if len(buf) > 0 {
			if err := send(buf); err != nil {
				return err
			}
		}
	}
}

// write sends the log up to the resync, the resync, and the present state of the rows that
// late messages take away.
func (r *rowResync) write(ctx context.Context, p *feed.Part, g *guard, send func(message []byte) error) (upToDate []byte, err error) {
	if r.filter == nil {
		return feed.UpToDateMessage(p.LastSeen), r.writeRows(ctx, g, send)
	}
	part := newLogPart(&r.source.snapshots, p, r.filter, g)
	if err := part.writeMessages(ctx, send); err != nil {
		return nil, err
	}
	if err := r.writeRows(ctx, g, send); err != nil {
		return nil, err
	}
	// The handle names the grants of today.
	today := rowfilter.Steady(part.rule, g.named.Grants).Narrowed(g.permitted)
	return part.end(), part.late.write(ctx, today, g, send)
}
