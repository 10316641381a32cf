package rush

import (
	"context"
	"runtime/metrics"
	"time"
)

// garbage starts the garbage collector when a rush is over, so that the collector does not
// start in the middle of the next one.
//
// The answers of a rush are much garbage at once. With 9,000 readers, every second rush
// started the collector. It takes a tenth of a second there, since it looks through the
// memory of all connections, and meanwhile hardly any reader is answered. After the rush
// nobody waits for an answer.
//
// With GOGC=off the collector is never started here.
type garbage struct {
	heap    func() heap
	isBusy  func() bool // there is a rush
	collect func()
}

// calmTime is how long after the last rush the collector is started. The clients of the rush
// are back by then. Where rushes follow each other faster, it is left to itself.
const calmTime = 250 * time.Millisecond

// run collects after rushes until ctx ends. The end of each is sent on ended.
func (g *garbage) run(ctx context.Context, ended <-chan struct{}) {
	calm := time.NewTimer(calmTime)
	calm.Stop() // there was no rush yet
	defer calm.Stop()
	for {
		select {
		case <-ended:
			calm.Reset(calmTime)
		case <-calm.C:
			if !g.isBusy() && g.heap().isWorthCollecting() {
				g.collect()
			}
		case <-ctx.Done():
			return
		}
	}
}

// heap is the memory of a process, in bytes.
type heap struct {
	live uint64 // in use when it was collected last
	now  uint64 // in use, garbage included
	goal uint64 // of now, at which the collector starts by itself
}

// isWorthCollecting reports whether a third of the room up to the next automatic collection is
// used. So there are at most three times as many collections.
func (h heap) isWorthCollecting() bool {
	return h.goal > h.live && h.now > h.live+(h.goal-h.live)/3
}

func readHeap() heap {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/goal:bytes"}}
	metrics.Read(s)
	return heap{live: s[0].Value.Uint64(), now: s[1].Value.Uint64(), goal: s[2].Value.Uint64()}
}
