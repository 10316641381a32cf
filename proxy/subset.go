package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
)

// clientColumns are the columns that a client may name in a subset: those of the
// shape, with the types that the table has.
func (s *shape) clientColumns() subset.Columns {
	table := s.table.Load()
	if made := s.columns.Load(); made != nil && made.table == table {
		return made.columns
	}
	columns := make(subset.Columns, len(s.def.Columns))
	for _, name := range s.def.Columns {
		if c, ok := table.Columns[name]; ok {
			columns[name] = subset.Column{Type: c.Type, Dims: c.Dims}
		}
	}
	s.columns.Store(&namedColumns{table, columns})
	return columns
}

// namedColumns are columns as they are in one table.
type namedColumns struct {
	table   *electric.Schema
	columns subset.Columns
}

// serveSubset answers a request for a subset: the rows that the client asked for
// and may see, as they are now.
//
// The client takes the handle and the offset of the answer for its log. So they
// are the ones that it came with, even where they are not good any more: a newer
// offset would make it skip changes of other rows, and today's fingerprint would
// keep its log from ever telling it what it lost since yesterday's. The next
// read of the log says what is to be done. For the same reason a subset never
// answers 409: the client would only swap its handle, and keep its rows.
func (rd *reading) serveSubset(ctx context.Context, w http.ResponseWriter, log shapeLog, asked *subset.Request) error {
	if err := rd.checkSubset(); err != nil {
		return err
	}
	plan, err := rd.plan(asked)
	if err != nil {
		return err
	}
	done, err := rd.h.limiter.read(ctx)
	if err != nil {
		return err
	}
	defer done()
	rows, err := openRows(ctx, log, plan)
	if err != nil {
		return rd.explainSubset(err, asked)
	}
	defer rows.Close()
	rd.shape.learn(rows.first.Schema)

	rd.noteSubset(rows.first.Offset)
	head := shapeHeaders{handle: rd.handle, offset: rd.came(), schema: rows.first.Schema, snapshot: true}
	if !rd.offset.IsPosition() {
		at := feed.Place{Handle: rows.first.Handle, Offset: rows.first.Offset}
		head.handle, head.offset = rd.mint(at, at.Offset).String(), at.Offset
	}
	// Rows that were revoked meanwhile are withheld. The handle still names the
	// grants that the rows were asked for with, so that the log says what changed.
	if err := rd.narrow(ctx); err != nil {
		return err
	}
	head.write(w.Header())
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusOK)
	if err := rd.writeSnapshot(w, rows); err != nil {
		return aborted(err)
	}
	return nil
}

// noteSubset notes, here and for the client, that it is given rows of other grants than
// its handle names. at is a position of the log that is not after the rows.
func (rd *reading) noteSubset(at electric.Offset) {
	h, ok := parseHandle(rd.handle)
	if !ok || !rd.h.handleKey.holds(rd.scope(), h) {
		return
	}
	if c, err := rd.since(h); err != nil || !c.Empty() {
		rd.h.extras.subset(h, rd.shape.visibility(rd.decision), at)
		rd.note = max(rd.note, 1)
	}
}

// writeSnapshot writes the answer's object. Its rows may be many; they are
// written as they are read, and the metadata after them, where it is known
// whatever the order in which Electric wrote the two.
func (rd *reading) writeSnapshot(w http.ResponseWriter, rows *rows) error {
	b := borrowWriter(w)
	_, _ = io.WriteString(b, `{"data":`)
	out := newArrayWriter(b)
	if err := rd.writeRows(out, rows); err != nil {
		return err
	}
	out.close()
	if h, ok := parseHandle(rd.handle); ok {
		if seen, ok := rows.metadata.Fence(); ok {
			rd.h.extras.snapshot(h, seen)
		}
	}
	_, _ = io.WriteString(b, `,"metadata":`)
	_, _ = b.Write(rows.metadata.Raw)
	_ = b.WriteByte('}')
	return finish(b)
}

// explainSubset tells a client whose where was refused so. The filter's part of
// it is known to be good, so what Electric refuses is the client's: most often a
// value that its column's type cannot hold.
func (rd *reading) explainSubset(err error, asked *subset.Request) error {
	if errors.Is(err, electric.ErrRefused) && (asked.Where != nil || asked.OrderBy != nil) {
		return &problem{
			kind: badRequest, field: "where", cause: err,
			message: "Electric does not take this: a value may not be of its column's type, or a function may be one that Electric does not have",
		}
	}
	return rd.explain(err)
}
