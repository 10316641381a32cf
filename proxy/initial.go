package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
)

// serveInitial answers the first read of a log by somebody who sees some of the
// rows: those rows, from a subset snapshot, as a log that inserts them.
//
// The log's position is taken before the snapshot; taken the other way round, what
// changed in between would be lost. What the snapshot has seen of it is not told
// again, see late.
func (rd *reading) serveInitial(ctx context.Context, w http.ResponseWriter, log shapeLog) error {
	done, err := rd.h.limiter.read(ctx)
	if err != nil {
		return err
	}
	defer done()
	at, table, err := rd.position(ctx, log.Position)
	if err != nil {
		return err
	}
	plan, err := rd.plan(&subset.Request{})
	if err != nil {
		return err
	}
	rows, err := openRows(ctx, log, plan)
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := rd.narrow(ctx); err != nil {
		return err
	}
	given := rd.mint(at, at.Offset)
	out := beginArray(w, shapeHeaders{
		handle:   given.String(),
		offset:   at.Offset,
		schema:   table,
		upToDate: true,
		hasData:  true,
	})
	if err := rd.writeRows(out, rows); err != nil {
		return aborted(err)
	}
	nothing := rd.shape.granted(make([]*authz.GrantSet, len(rd.decision.Grants)))
	rd.h.late.put(given, rd.after(nil, rows.metadata, window{kept: nothing, held: nothing}, nil, authz.Mark{}))
	_ = out.add(snapshotEnd(rows.metadata))
	_ = out.add(feed.UpToDateMessage(at.Offset.LSN()))
	return out.end()
}

// writeRows writes the rows that the reader may see. The query asked for no
// others: a row that comes all the same is withheld and, unless grants have
// changed since, it is a defect to be heard of.
func (rd *reading) writeRows(out *arrayWriter, rows *rows) error {
	withheld := 0
	defer func() {
		if withheld > 0 && !rd.narrowed {
			rd.h.metrics.rowsWithheld.WithLabelValues(rd.shape.def.Name).Add(float64(withheld))
			rd.h.log.Error("a subset held rows that its filter does not permit; they were withheld",
				"shape", rd.shape.def.Name, "count", withheld)
		}
	}()
	for {
		m, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		visible, err := rd.view.permits(m.Column)
		if err != nil {
			return err
		}
		if !visible {
			withheld++
			continue
		}
		if err := out.add(m.Raw); err != nil {
			return err
		}
	}
}

// servePosition answers a first read that asks for changes alone, or for what
// comes from now on: where the log ends, and nothing of it.
func (rd *reading) servePosition(ctx context.Context, w http.ResponseWriter, log shapeLog) error {
	at, table, err := rd.position(ctx, log.PositionNow)
	if err != nil {
		return err
	}
	out := beginArray(w, shapeHeaders{
		handle:   rd.mint(at, at.Offset).String(),
		offset:   at.Offset,
		schema:   table,
		upToDate: true,
	})
	_ = out.add(feed.UpToDateMessage(at.Offset.LSN()))
	return out.end()
}

// serveWhole answers the first read of a log by somebody who sees every row: the
// log's own beginning, stored snapshot included.
func (rd *reading) serveWhole(ctx context.Context, w http.ResponseWriter, log shapeLog) error {
	done, err := rd.h.limiter.read(ctx)
	if err != nil {
		return err
	}
	defer done()
	b, err := log.Read(ctx, feed.Place{Offset: electric.BeforeAll})
	if err != nil {
		return rd.explain(err)
	}
	defer b.Close()
	if err := rd.narrow(ctx); err != nil {
		return err
	}
	if rd.narrowed {
		return errStaleHandle
	}
	rd.shape.learn(b.Schema)
	return rd.deliver(ctx, w, b, rd.mint(b.End, electric.Start), found{}, rd.steady())
}
