package feed

import (
	"context"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// Feed is one log of Electric, followed once for all its readers. It is safe for
// concurrent use.
type Feed struct {
	upstream *upstreamLog
	tail     *tail

	feeds       *Feeds
	key         string // of the log
	shape, name string // see Status
	cancel      context.CancelFunc

	// The lock of Feeds guards the rest.
	payer      string // the subject whose limit it counts against
	use        use
	readership readership
}

// Position returns the end of the log, and the schema of the table. Errors are those of
// electric.Client.ReadLog, and an *electric.UnavailableError if Electric has been away
// for longer than Config.Away.
func (f *Feed) Position(ctx context.Context) (Place, *electric.Schema, error) {
	if err := f.tail.ready(ctx); err != nil {
		return Place{}, nil, err
	}
	if at, table, ok := f.tail.position(time.Now()); ok {
		return at, table, nil
	}
	return f.PositionNow(ctx)
}

// PositionNow is like Position, and always asks Electric.
func (f *Feed) PositionNow(ctx context.Context) (Place, *electric.Schema, error) {
	return f.upstream.position(ctx)
}

// Read returns the messages after a place, without waiting. There may be none. Messages
// that are older than the window come from Electric. Errors are those of Position, and
// electric.ErrMustRefetch if the place is not in the log.
func (f *Feed) Read(ctx context.Context, after Place) (*Part, error) {
	if err := f.tail.ready(ctx); err != nil {
		return nil, err
	}
	p, err := f.tail.read(after)
	if err != nil || p != nil && (p.UpToDate || !p.Empty()) {
		return p, err
	}
	return f.upstream.read(ctx, after)
}

// Join joins the readers who wait for a message after a place that concerns them. It
// returns the part that there is already, or else a waiter, whose Wait must be called.
// Messages that do not concern the cohort are skipped. Errors are those of Read.
func (f *Feed) Join(ctx context.Context, after Place, in Interest) (*Waiter, *Part, error) {
	if err := f.tail.ready(ctx); err != nil {
		return nil, nil, err
	}
	w, p, err := f.tail.join(after, in)
	if w == nil && p == nil && err == nil {
		p, err = f.upstream.read(ctx, after)
	}
	return w, p, err
}

// Cohort returns the cohort with a key, and makes it if there is none. Equal keys must
// come with equal views and encoders. The caller must Release the cohort.
func (f *Feed) Cohort(key string, view func() (View, Encoder)) *Cohort {
	return f.tail.cohort(key, view)
}

// Release ends the use of the feed by one reader. Feeds.Open began it.
func (f *Feed) Release() {
	f.feeds.mu.Lock()
	defer f.feeds.mu.Unlock()
	f.use.end(time.Now())
}

// status returns the status of the feed. The caller holds the lock of Feeds.
func (f *Feed) status(now time.Time) Status {
	s := f.tail.status(now)
	s.Name, s.Shape, s.Readers = f.name, f.shape, f.use.readers
	return s
}
