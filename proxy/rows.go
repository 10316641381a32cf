package proxy

import (
	"context"
	"errors"
	"io"

	"github.com/shapegate/shapegate/proxy/electric"
)

// rows reads the snapshots of a plan one after the other, row by row. Its memory
// is that of the largest row.
type rows struct {
	ctx  context.Context //nolint:containedctx // it lives as long as one request
	log  shapeLog
	todo []electric.Subset
	open *electric.SubsetResponse

	// first is the first snapshot's answer. Its metadata speaks for all: what was
	// visible to the first snapshot is visible to the later ones too.
	first    *electric.SubsetResponse
	metadata *electric.Metadata
}

// openRows asks for the first snapshot, so that its failure can still be
// answered with a status. The caller closes the rows.
func openRows(ctx context.Context, log shapeLog, plan []electric.Subset) (*rows, error) {
	first, err := log.Snapshot(ctx, plan[0])
	if err != nil {
		return nil, err
	}
	return &rows{ctx: ctx, log: log, todo: plan[1:], open: first, first: first}, nil
}

// Next returns the next row, or io.EOF after the last one of the last snapshot.
func (r *rows) Next() (*electric.Message, error) {
	for {
		m, err := r.open.Next()
		if r.metadata == nil {
			r.metadata = r.open.Metadata()
		}
		if !errors.Is(err, io.EOF) || len(r.todo) == 0 {
			return m, err
		}
		if err := r.open.Close(); err != nil {
			return nil, err
		}
		next, err := r.log.Snapshot(r.ctx, r.todo[0])
		if err != nil {
			return nil, err
		}
		r.open, r.todo = next, r.todo[1:]
	}
}

// Close ends the snapshot that is being read.
func (r *rows) Close() error { return r.open.Close() }
