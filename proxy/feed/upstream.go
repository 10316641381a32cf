package feed

import (
	"context"
	"errors"
	"io"

	"github.com/shapegate/shapegate/proxy/electric"
)

// Upstream is the Electric that feeds read. *electric.Client implements it.
type Upstream interface {
	ReadLog(ctx context.Context, f *electric.LogSpec, r electric.LogRequest) (*electric.LogResponse, error)
}

// upstreamLog is one log as Electric has it. It keeps nothing that it reads, and is safe
// for concurrent use.
type upstreamLog struct {
	electric Upstream
	spec     *electric.LogSpec
	columns  *columns
}

func (l *upstreamLog) ask(ctx context.Context, r electric.LogRequest) (*electric.LogResponse, error) {
	return l.electric.ReadLog(ctx, l.spec, r)
}

// position returns the end of the log, and the schema of the table.
func (l *upstreamLog) position(ctx context.Context) (Place, *electric.Schema, error) {
	resp, err := l.ask(ctx, electric.LogRequest{Offset: electric.Now})
	if err != nil {
		return Place{}, nil, err
	}
	return Place{Handle: resp.Handle, Offset: resp.Offset, Known: true}, resp.Schema, resp.Close()
}

// read returns the messages that there are after a place. The error is
// electric.ErrMustRefetch if the place is not in the log.
func (l *upstreamLog) read(ctx context.Context, after Place) (*Part, error) {
	resp, err := l.ask(ctx, electric.LogRequest{Handle: after.Handle, Offset: after.Offset})
	if err != nil {
		return nil, err
	}
	if after.Handle != "" && resp.Handle != after.Handle {
		return nil, errors.Join(electric.ErrMustRefetch, resp.Close())
	}
	return &Part{
		End:    Place{Handle: resp.Handle, Offset: resp.Offset, Known: true},
		Schema: resp.Schema, UpToDate: resp.UpToDate, LastSeen: resp.Offset.LSN(), response: resp,
	}, nil
}

// batch decodes an answer with the messages after a place, and closes it.
func (l *upstreamLog) batch(resp *electric.LogResponse, after Place) (*batch, error) {
	b, err := l.decode(resp, after.Offset)
	if err := errors.Join(err, resp.Close()); err != nil {
		return nil, err
	}
	switch {
	case resp.Handle != after.Handle:
		return nil, electric.ErrMustRefetch
	case resp.Offset.Compare(after.Offset) < 0:
		return nil, &electric.ProtocolError{Reason: "a log that goes back"}
	}
	return b, nil
}

func (l *upstreamLog) decode(resp *electric.LogResponse, from electric.Offset) (*batch, error) {
	b := &batch{from: from, end: resp.Offset, upToDate: resp.UpToDate, lastSeen: resp.Offset.LSN()}
	for {
		m, err := resp.Next()
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		case m.Operation == electric.Control && m.Control == electric.ControlUpToDate:
			b.lastSeen = max(b.lastSeen, m.LastSeenLSN())
			continue
		case m.Operation == electric.Control && m.Control == electric.ControlMustRefetch:
			return nil, &electric.ProtocolError{Reason: "must-refetch in a log"}
		}
		e, err := l.columns.decode(m)
		if err != nil {
			return nil, err
		}
		b.add(e)
	}
}
