package proxy

import (
	"context"

	"github.com/shapegate/shapegate/proxy/electric"
)

// position is a place in the log of one feed.
type position struct {
	handle string // Electric's handle
	offset electric.Offset
}

// shapeLog is where the messages and rows of one feed come from, before anybody
// asked who may see them.
type shapeLog interface {
	// Position returns where the log ends now, and what the table looks like.
	Position(ctx context.Context) (position, *electric.Schema, error)

	// Read returns the messages after a position: those that are there or, with
	// wait, as soon as there are some, or none after a while. The caller closes
	// the batch. electric.ErrMustRefetch says that the position is not in the log.
	Read(ctx context.Context, after position, wait bool, cursor string) (*batch, error)

	// Snapshot returns rows as they are now: at no time before the call.
	Snapshot(ctx context.Context, s electric.Subset) (*electric.SubsetResponse, error)
}

// batch is a part of a log.
type batch struct {
	messages

	end      position         // after its last message
	schema   *electric.Schema // nil if the reading waited
	cursor   string           // to be sent with the next waiting read
	upToDate bool             // its end was the log's end
}

// messages are read one by one. electric.MessageReader says what the errors mean.
type messages interface {
	Next() (*electric.Message, error)
	Close() error
}

// upstreamLog reads a feed straight from Electric: one upstream request for each
// request here.
type upstreamLog struct {
	client *electric.Client
	feed   *electric.Feed
}

func (l upstreamLog) Position(ctx context.Context) (position, *electric.Schema, error) {
	resp, err := l.client.ReadLog(ctx, l.feed, electric.LogRequest{Offset: electric.Now})
	if err != nil {
		return position{}, nil, err
	}
	return position{resp.Handle, resp.Offset}, resp.Schema, resp.Close()
}

func (l upstreamLog) Read(ctx context.Context, after position, wait bool, cursor string) (*batch, error) {
	resp, err := l.client.ReadLog(ctx, l.feed, electric.LogRequest{
		Handle: after.handle, Offset: after.offset, Live: wait, Cursor: cursor,
	})
	if err != nil {
		return nil, err
	}
	return &batch{
		messages: resp.MessageReader,
		end:      position{resp.Handle, resp.Offset},
		schema:   resp.Schema,
		cursor:   resp.Cursor,
		upToDate: resp.UpToDate,
	}, nil
}

func (l upstreamLog) Snapshot(ctx context.Context, s electric.Subset) (*electric.SubsetResponse, error) {
	return l.client.ReadSubset(ctx, l.feed, s)
}
