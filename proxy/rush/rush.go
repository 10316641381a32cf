package rush

import (
	"context"
	"runtime"
	"sync"
	"time"
)

const (
	// many is how many readers make a rush. With fewer, nobody gives way.
	many = 100
	// longest is how long a rush lasts at most: a client may be slow to take its answer.
	longest = time.Second
	// A rush ends when nobody has been answered for the time of a pause. Readers that were
	// woken are not counted before their goroutines run.
	pause = 20 * time.Millisecond
)

// Rushes counts the readers that are being answered, and has the rush of this moment. It is
// safe for concurrent use. A nil *Rushes never has a rush.
type Rushes struct {
	cancel  context.CancelFunc
	garbage sync.WaitGroup
	ended   chan struct{} // receives when a rush has ended; full: another one just has

	mu  sync.Mutex
	now *Rush // nil: nobody is being answered
}

// New returns Rushes without a rush. The caller must Close it.
func New() *Rushes {
	s := &Rushes{ended: make(chan struct{}, 1)}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	g := &garbage{heap: readHeap, isBusy: s.isOn, collect: runtime.GC}
	s.garbage.Go(func() { g.run(ctx, s.ended) })
	return s
}

// Close ends the goroutine that collects garbage.
func (s *Rushes) Close() {
	s.cancel()
	s.garbage.Wait()
}

// Rush counts readers that are answered at about the same time. Others give way to it once
// they are many.
type Rush struct {
	of    *Rushes
	began time.Time
	left  int           // readers that are not answered yet
	over  chan struct{} // closed at the end of the rush; nil: they are few

	last    time.Time // when left became 0
	pausing bool      // a timer will call paused
}

// Add notes that some readers were woken and are about to be answered. The caller calls Done
// of what it returns for each of them, once. It may return nil.
func (s *Rushes) Add(readers int) *Rush {
	if s == nil || readers == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, now := s.now, time.Now()
	if r == nil || r.over == nil && now.Sub(r.began) > longest {
		r = &Rush{of: s, began: now}
		s.now = r
	}
	r.left += readers
	if r.left >= many && r.over == nil {
		r.over = make(chan struct{})
		time.AfterFunc(longest, r.end)
	}
	return r
}

// Done notes that a reader was answered, or went away.
func (r *Rush) Done() {
	if r == nil {
		return
	}
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	if r.left--; r.left > 0 {
		return
	}
	if r.over == nil {
		r.close()
		return
	}
	if r.last = time.Now(); !r.pausing {
		r.pausing = true
		time.AfterFunc(pause, r.paused)
	}
}

// paused ends the rush if nobody has been answered for a while.
func (r *Rush) paused() {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.pausing = false
	if r.left > 0 {
		return
	}
	if left := pause - time.Since(r.last); left > 0 {
		r.pausing = true
		time.AfterFunc(left, r.paused)
		return
	}
	r.close()
}

// end ends the rush when its time is over.
func (r *Rush) end() {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.close()
}

// close ends the rush, once. The caller holds the lock.
func (r *Rush) close() {
	if r.of.now != r {
		return
	}
	r.of.now = nil
	if r.over == nil {
		return
	}
	close(r.over)
	select {
	case r.of.ended <- struct{}{}:
	default:
	}
}

// GiveWay waits until there is no rush. It ends with ctx, too.
func (s *Rushes) GiveWay(ctx context.Context) {
	if over := s.on(); over != nil {
		select {
		case <-over:
		case <-ctx.Done():
		}
	}
}

func (s *Rushes) isOn() bool { return s.on() != nil }

// on returns what is closed when the rush of this moment is over, or nil if there is none.
func (s *Rushes) on() <-chan struct{} {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		return nil
	}
	return s.now.over
}
