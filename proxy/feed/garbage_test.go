package feed

import (
	"context"
	"math"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Rushes that follow each other are followed by one collection, and not by one for each.
func TestGarbageIsCollectedOnceAfterRushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rushes, collections := make(chan struct{}), make(chan time.Time, 10)
		g := &garbage{
			heap:    func() heap { return heap{live: 100, now: 140, goal: 200} },
			collect: func() { collections <- time.Now() },
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			g.run(ctx, rushes)
		}()
		time.Sleep(2 * calmTime) // there was no rush
		var last time.Time
		for range 3 {
			time.Sleep(calmTime / 2)
			rushes <- struct{}{}
			last = time.Now()
		}
		time.Sleep(5 * calmTime)
		cancel()
		<-ended
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
