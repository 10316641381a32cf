package proxy

import (
	"context"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// shapeLog is where the messages and rows of one reading come from, before anybody
// asked who may see them: a feed that it shares with others, which is opened when it
// is first read, and snapshots of its own.
type shapeLog struct {
	rd   *reading
	feed *electric.LogSpec
}

// open returns the feed, which the reading releases when it ends.
func (l shapeLog) open() (*feed.Feed, error) {
	if l.rd.feed == nil {
		f, err := l.rd.h.feeds.Open(l.feed, l.rd.shape.feedColumns, l.rd.shape.def.Name, l.rd.subject.String())
		if err != nil {
			return nil, err
		}
		l.rd.feed = f
	}
	return l.rd.feed, nil
}

// Position returns where the log ends now, and what the table looks like.
func (l shapeLog) Position(ctx context.Context) (feed.Place, *electric.Schema, error) {
	f, err := l.open()
	if err != nil {
		return feed.Place{}, nil, err
	}
	return f.Position(ctx)
}

// PositionNow is Position, as Electric itself says: for who asks for what is written
// from now on, and for nothing before.
func (l shapeLog) PositionNow(ctx context.Context) (feed.Place, *electric.Schema, error) {
	f, err := l.open()
	if err != nil {
		return feed.Place{}, nil, err
	}
	return f.PositionNow(ctx)
}

// Read returns the messages that are there after a place. The caller closes the batch.
// electric.ErrMustRefetch says that the place is not in the log.
func (l shapeLog) Read(ctx context.Context, after feed.Place) (*batch, error) {
	f, err := l.open()
	if err != nil {
		return nil, err
	}
	return newBatch(f.Read(ctx, after))
}

// Wait is Read, but waits until there is something that may concern the reader, and
// no longer than until something else is. See feed.Feed.Wait.
func (l shapeLog) Wait(ctx context.Context, after feed.Place, until feed.Until) (*batch, error) {
	f, err := l.open()
	if err != nil {
		return nil, err
	}
	return newBatch(f.Wait(ctx, after, l.rd.interest(f), until))
}

// Join is the first half of Wait, see feed.Feed.Join.
func (l shapeLog) Join(ctx context.Context, after feed.Place) (*feed.Waiter, *batch, error) {
	f, err := l.open()
	if err != nil {
		return nil, nil, err
	}
	w, p, err := f.Join(ctx, after, l.rd.interest(f))
	b, err := newBatch(p, err)
	return w, b, err
}

// Snapshot returns rows as they are now: at no time before the call.
func (l shapeLog) Snapshot(ctx context.Context, s electric.Subset) (*electric.SubsetResponse, error) {
	return l.rd.h.electric.ReadSubset(ctx, l.feed, s)
}

// batch is a part of a log, with one message that can be put back.
type batch struct {
	*feed.Part

	unreadRaw []byte // nil: there is none
}

// newBatch keeps an error, and the part that comes with it.
func newBatch(p *feed.Part, err error) (*batch, error) {
	if p == nil {
		return nil, err
	}
	return &batch{Part: p}, err
}
