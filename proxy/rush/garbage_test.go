package rush

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Rushes that follow each other are followed by one collection, and not by one for each. None
// is in the middle of a rush that is longer than the calm.
func TestGarbageIsCollectedOnceAfterRushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, collections := make(chan struct{}), make(chan time.Time, 10)
		var busy atomic.Bool
		g := &garbage{
			heap:    func() heap { return heap{live: 100, now: 140, goal: 200} },
			isBusy:  busy.Load,
			collect: func() { collections <- time.Now() },
		}
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() {
			defer close(over)
			g.run(ctx, ended)
		}()
		time.Sleep(2 * calmTime) // there was no rush
		var last time.Time
		for _, length := range []time.Duration{calmTime / 2, calmTime / 2, 3 * calmTime} {
			busy.Store(true)
			time.Sleep(length)
			busy.Store(false)
			ended <- struct{}{}
			last = time.Now()
			synctest.Wait()
		}
		time.Sleep(5 * calmTime)
		cancel()
		<-over
		close(collections)
		var after []time.Duration
		for at := range collections {
			after = append(after, at.Sub(last))
		}
		if !slices.Equal(after, []time.Duration{calmTime}) {
			t.Errorf("collected so long after the last rush: %v", after)
		}
	})
}

func TestAHeapIsWorthCollecting(t *testing.T) {
	for _, c := range []struct {
		name string
		heap heap
		want bool
	}{
		{"little garbage", heap{live: 90, now: 119, goal: 180}, false},
		{"a third of what may be allocated", heap{live: 90, now: 121, goal: 180}, true},
		{"GOGC=off", heap{live: 90, now: 1 << 30, goal: math.MaxUint64}, false},
		{"a memory limit that is reached", heap{live: 90, now: 91, goal: 80}, false},
	} {
		if got := c.heap.isWorthCollecting(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// The names of the runtime's metrics are right.
func TestTheHeapIsRead(t *testing.T) {
	runtime.GC()
	kept := make([]byte, 8<<20)
	h := readHeap()
	if h.live == 0 || h.now < uint64(len(kept)) || h.goal <= h.live {
		t.Errorf("%+v", h)
	}
	runtime.KeepAlive(kept)
}
