package proxy

import (
	"context"
	"errors"
	"io"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// rows reads the snapshots of a plan one after the other, row by row. Its memory is that
// of the largest row.
type rows struct {
	ctx       context.Context //nolint:containedctx // it lives as long as one request
	snapshots *snapshots
	todo      []electric.Subset
	open      *electric.SubsetResponse

	// first is the first snapshot's answer. Its metadata speaks for all: what was visible
	// to the first snapshot is visible to the later ones too.
	first    *electric.SubsetResponse
	metadata *electric.Metadata
	peeked   *electric.Message // the first row, if it was read for the metadata
	err      error             // of that

	leave func() // gives back the place among the snapshots that are under way
}

// Fence returns the fence of the first snapshot. Electric writes it before the rows, so
// that it is known before anything is sent.
func (r *rows) Fence() (electric.Fence, error) {
	if r.metadata == nil {
		r.peeked, r.err = r.read()
	}
	if r.metadata == nil {
		if r.err == nil || errors.Is(r.err, io.EOF) {
			return electric.Fence{}, errNoFence
		}
		return electric.Fence{}, r.err
	}
	fence, ok := r.metadata.Fence()
	if !ok {
		return fence, errNoFence
	}
	return fence, nil
}

var errNoFence = &electric.ProtocolError{Reason: "a snapshot does not say, before its rows, which transactions it has seen"}

func (r *rows) begin() (feed.Place, *electric.Schema) {
	return feed.Place{Handle: r.first.Handle, Offset: r.first.Offset}, r.first.Schema
}

func (r *rows) meta() *electric.Metadata { return r.metadata }

// Next returns the next row, or io.EOF after the last one of the last snapshot.
func (r *rows) Next() (*electric.Message, error) {
	if m, err := r.peeked, r.err; m != nil || err != nil {
		r.peeked, r.err = nil, nil
		return m, err
	}
	return r.read()
}

func (r *rows) read() (*electric.Message, error) {
	for {
		m, err := r.open.Next()
		if r.metadata == nil {
			r.metadata = r.open.Metadata()
		}
		if !errors.Is(err, io.EOF) {
			return m, err
		}
		if len(r.todo) == 0 {
			r.leave()
			return m, err
		}
		if err := r.open.Close(); err != nil {
			return nil, err
		}
		next, err := r.snapshots.take(r.ctx, r.todo[0])
		if err != nil {
			return nil, err
		}
		r.open, r.todo = next, r.todo[1:]
	}
}

// Close ends the snapshot that is being read, if there is one.
func (r *rows) Close() {
	if r == nil {
		return
	}
	_ = r.open.Close()
	r.leave()
}

// write writes the rows that are permitted. The query asked for no others: a row that comes
// all the same is withheld and, unless grants have changed since, it is a defect.
func (r *rows) write(ctx context.Context, out *arrayWriter, g *guard) error {
	shape := r.snapshots.log.shape
	rule := shape.table.rule()
	withheld := 0
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			if withheld > 0 && !g.isNarrowed() {
				shape.notes.withheld(shape.def.Name, withheld)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := g.check(ctx); err != nil {
			return err
		}
		permitted, err := rule.Permits(g.permitted, m.Column)
		if err != nil {
			return err
		}
		if !permitted {
			withheld++
			continue
		}
		if err := out.add(m.Raw); err != nil {
			return err
		}
	}
}
