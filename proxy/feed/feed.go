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
	payer   string   // the subject whose limit it counts against; the lock of Feeds guards it
	cancel  context.CancelFunc

	shape, name string // see Status

	mu        sync.Mutex
	state     state
	err       error         // why it failed
	settled   chan struct{} // closed when the state changes
	handle    string        // Electric's
	schema    *electric.Schema
	window    window
	dead      []string  // former handles of the log
	asked     time.Time // when the present request was sent
	awaySince time.Time // when Electric stopped answering; zero: it answers
	awayErr   error
	failures  int // since then

	readers int
	idle    time.Time // when the last reader released it
	cohorts map[string]*Cohort
	index   index
	round   uint64
	scratch []ids
	late    []*Waiter     // with Interest.Late
	newest  electric.TxID // the greatest Interest.Newest among them
	waiting int
	answers int // bytes of the shared answers
	counts  counts

	readership readership
	accounted  int  // bytes that Feeds counts for it
	removed    bool // Feeds does not hold it any more
}

// counts are the counters of a feed.
type counts struct {
	restarts uint64 // how often Electric had dropped the log
	woken    uint64 // readers
}

func (c counts) plus(d counts) counts { return counts{c.restarts + d.restarts, c.woken + d.woken} }

// state is the state of a feed.
type state uint8

const (
	starting state = iota // it asks Electric for the end of the log
	following
	failed // it has ended
)

// mostDead bounds the former handles that a feed remembers.
const mostDead = 16

// Position returns the end of the log, and the schema of the table. Errors are those of
// electric.Client.ReadLog, and an *electric.UnavailableError if Electric has been away
// for longer than Config.Away.
func (f *Feed) Position(ctx context.Context) (Place, *electric.Schema, error) {
	for {
		if err := f.ready(ctx); err != nil {
			return Place{}, nil, err
		}
		f.mu.Lock()
		at, table, state, inStep := f.end(), f.schema, f.state, f.inStep(time.Now())
		f.mu.Unlock()
		switch {
		case state != following: // it was reset meanwhile
		case inStep:
			return at, table, nil
		default:
			return f.PositionNow(ctx)
		}
	}
}

// inStep reports whether the end of the window is the end of the log, as far as the feed
// can know. A new reader begins there, so it must not be long past: the reader would get
// changes from before it came. The caller holds the lock.
func (f *Feed) inStep(now time.Time) bool {
	return f.awaySince.IsZero() && f.window.upToDate && now.Sub(f.asked) < liveTime-time.Second
}

// PositionNow is like Position, and always asks Electric.
func (f *Feed) PositionNow(ctx context.Context) (Place, *electric.Schema, error) {
	resp, err := f.feeds.upstream.ReadLog(ctx, f.log, electric.LogRequest{Offset: electric.Now})
	if err != nil {
		return Place{}, nil, err
	}
	return Place{Handle: resp.Handle, Offset: resp.Offset, Known: true}, resp.Schema, resp.Close()
}

// end returns the end of the window. The caller holds the lock.
func (f *Feed) end() Place { return Place{Handle: f.handle, Offset: f.window.end, Known: true} }

// Read returns the messages after a place, without waiting. There may be none. Messages
// that are older than the window come from Electric. Errors are those of Position, and
// electric.ErrMustRefetch if the place is not in the log.
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
	return f.readUpstream(ctx, after)
}

// part returns the messages after a place from the window, or nil if Electric has to be
// asked. The caller holds the lock.
func (f *Feed) part(after Place) (*Part, error) {
	if slices.Contains(f.dead, after.Handle) {
		return nil, electric.ErrMustRefetch
	}
	if after.Handle != f.handle || !f.window.has(after.Offset) {
		return nil, nil //nolint:nilnil // Electric has to be asked
	}
	p := f.newPart(after.Offset)
	p.batches = f.window.after(after.Offset)
	return p, nil
}

// newPart returns a part from a position to the end of the log, without its batches. The
// caller holds the lock.
func (f *Feed) newPart(from electric.Offset) *Part {
	p := f.partFrom(from)
	return &p
}

func (f *Feed) partFrom(from electric.Offset) Part {
	return Part{
		End: f.end(), Schema: f.schema, UpToDate: f.window.upToDate, LastSeen: f.window.lastSeen,
		Away: !f.awaySince.IsZero(), from: from,
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

// ready waits until the feed follows its log, or returns why it cannot be read.
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

// Release ends the use of the feed by one reader. Feeds.Open began it.
func (f *Feed) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readers--; f.readers == 0 {
		f.idle = time.Now()
	}
}
