package feed

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// Feed is one log of Electric, followed once for all its readers. It is safe for
// concurrent use.
type Feed struct {
	feeds   *Feeds
	key     string
	log     *electric.LogSpec
	columns []column
	names   []string // of the columns
	payer   string   // the subject to whom it is charged; the feeds' lock guards it
	cancel  context.CancelFunc

	shape, name string // see Status

	mu        sync.Mutex
	state     state
	err       error         // why it failed
	settled   chan struct{} // closed when the state changes
	handle    string        // Electric's
	schema    *electric.Schema
	window    window
	dead      []string  // handles that this log once had
	asked     time.Time // when the request was sent that is under way
	awaySince time.Time // since when Electric does not answer; zero: it does
	awayErr   error
	failures  int // since then

	readers int
	idle    time.Time // since when nobody reads
	cohorts map[string]*Cohort
	index   index
	round   uint64
	scratch []ids
	late    []*Waiter     // see Interest.Late
	newest  electric.TxID // none of theirs comes after it
	waiting int
	answers int // bytes of the answers that may be asked for again
	counts  counts

	readership readership
	accounted  int  // bytes that the feeds count for it
	removed    bool // it is none of the feeds any more
}

// counts are what a feed counts for as long as it lives.
type counts struct {
	restarts uint64 // how often Electric had dropped the log
	woken    uint64 // readers
}

func (c counts) plus(d counts) counts { return counts{c.restarts + d.restarts, c.woken + d.woken} }

// state is what a feed can be used for.
type state uint8

const (
	starting state = iota // it asks where the log ends
	following
	failed // it will not be used any more
)

// mostDead is how many of its former handles a feed remembers.
const mostDead = 16

// Position returns where the log ends, and what the table looks like. Errors are of
// electric.Client.ReadLog, and an *electric.UnavailableError where Electric has been
// away for too long.
func (f *Feed) Position(ctx context.Context) (Place, *electric.Schema, error) {
	for {
		if err := f.ready(ctx); err != nil {
			return Place{}, nil, err
		}
		f.mu.Lock()
		at, table, state, inStep := f.end(), f.schema, f.state, f.inStep(time.Now())
		f.mu.Unlock()
		switch {
		case state != following: // it was reset just now
		case inStep:
			return at, table, nil
		default:
			return f.PositionNow(ctx)
		}
	}
}

// inStep reports whether the window's end is the log's, as far as can be told. What a
// new reader is given to begin at must not be long past: it would be told of what was
// written before it came. The caller holds the lock.
func (f *Feed) inStep(now time.Time) bool {
	return f.awaySince.IsZero() && f.window.upToDate && now.Sub(f.asked) < liveTime-time.Second
}

// PositionNow is Position, as Electric itself says.
func (f *Feed) PositionNow(ctx context.Context) (Place, *electric.Schema, error) {
	resp, err := f.feeds.upstream.ReadLog(ctx, f.log, electric.LogRequest{Offset: electric.Now})
	if err != nil {
		return Place{}, nil, err
	}
	return Place{Handle: resp.Handle, Offset: resp.Offset, Known: true}, resp.Schema, resp.Close()
}

// end is the end of the log. The caller holds the lock.
func (f *Feed) end() Place { return Place{Handle: f.handle, Offset: f.window.end, Known: true} }

// Read returns the messages after a place, which may be none, without waiting. What
// is older than the window comes from Electric. Errors are as for Position, and
// electric.ErrMustRefetch says that the log does not have the place.
func (f *Feed) Read(ctx context.Context, after Place) (*Part, error) {
	if err := f.ready(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	p, err := f.part(after)
	f.mu.Unlock()
	if err != nil || p != nil && (p.UpToDate || !p.Empty()) {
		return p, err
	}
	return f.readUpstream(ctx, after) // which has more, or what is older
}

// part returns what the window has after a place, or nil if that is not all there is.
// The caller holds the lock.
func (f *Feed) part(after Place) (*Part, error) {
	if slices.Contains(f.dead, after.Handle) {
		return nil, electric.ErrMustRefetch
	}
	if after.Handle != f.handle || !f.window.has(after.Offset) {
		return nil, nil //nolint:nilnil // it is elsewhere
	}
	p := f.newPart(after.Offset)
	p.batches = f.window.after(after.Offset)
	return p, nil
}

// newPart returns a part up to the log's end, without its batches. The caller holds
// the lock.
func (f *Feed) newPart(from electric.Offset) *Part {
	return &Part{
		End: f.end(), Schema: f.schema, UpToDate: f.window.upToDate, LastSeen: f.window.lastSeen,
		from: from,
	}
}

func (f *Feed) readUpstream(ctx context.Context, after Place) (*Part, error) {
	resp, err := f.feeds.upstream.ReadLog(ctx, f.log, electric.LogRequest{Handle: after.Handle, Offset: after.Offset})
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

// ready waits until the feed is following its log.
func (f *Feed) ready(ctx context.Context) error {
	var timeout <-chan time.Time
	for {
		f.mu.Lock()
		state, settled, err := f.state, f.settled, f.unusable(time.Now())
		f.mu.Unlock()
		if state != starting || err != nil {
			return err
		}
		if timeout == nil {
			timer := time.NewTimer(f.feeds.cfg.Away)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-settled:
		case <-timeout:
			return &electric.UnavailableError{Err: errAway}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// unusable returns why the feed cannot be read, or nil. The caller holds the lock.
func (f *Feed) unusable(now time.Time) error {
	switch {
	case f.state == failed:
		return f.err
	case !f.awaySince.IsZero() && now.Sub(f.awaySince) > f.feeds.cfg.Away:
		return f.awayErr
	default:
		return nil
	}
}

// Release ends a reader's use of the feed, which begins with Feeds.Open.
func (f *Feed) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readers--; f.readers == 0 {
		f.idle = time.Now()
	}
}
