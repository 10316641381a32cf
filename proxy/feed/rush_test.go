package feed

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// giveWay returns how long a request gives way.
func giveWay(ctx context.Context, s *rushes) time.Duration {
	start := time.Now()
	s.wait(ctx)
	return time.Since(start)
}

func TestARequestGivesWayToWokenReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s rushes
		if s.begin(manyWoken-1) != nil {
			t.Error("few readers make a rush")
		}
		r := s.begin(manyWoken)
		if s.begin(manyWoken) != r {
			t.Error("the readers of another message make another rush")
		}
		go func() {
			time.Sleep(20 * time.Millisecond)
			for range 2 * manyWoken {
				r.done()
			}
		}()
		if took := giveWay(t.Context(), &s); took != 20*time.Millisecond {
			t.Errorf("it gives way for %v", took)
		}
		if took := giveWay(t.Context(), &s); took != 0 {
			t.Errorf("it gives way for %v when all are answered", took)
		}
		time.Sleep(rushTime) // the end of the time changes nothing
		synctest.Wait()
	})
}

// A client that does not take its answer holds nobody up for long, now or later.
func TestARushEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s rushes
		slow := s.begin(manyWoken)
		if took := giveWay(t.Context(), &s); took != rushTime {
			t.Errorf("it gives way for %v", took)
		}
		next := s.begin(manyWoken)
		slow.done()
		for range manyWoken {
			next.done()
		}
		if took := giveWay(t.Context(), &s); took != 0 {
			t.Errorf("it gives way for %v", took)
		}
		s.begin(manyWoken)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if took := giveWay(gone, &s); took != 0 {
			t.Errorf("a client that is gone gives way for %v", took)
		}
		time.Sleep(rushTime)
		synctest.Wait()
	})
}

// A rush is over when each woken reader has closed its part, or has left at the same moment.
func TestARushIsOverWhenAllAreAnswered(t *testing.T) {
	tail := benchTail(0, 0)
	cohort := tail.cohort("all", func() (View, Encoder) { return View{All: true}, encodeAll })
	var all []*Waiter
	for range manyWoken {
		w := &Waiter{wake: make(chan wake, 1), interest: Interest{Cohort: cohort}}
		tail.waiters.join(w)
		all = append(all, w)
	}
	e, err := tail.cohorts.columns.decode(update("doc-0"))
	if err != nil {
		t.Fatal(err)
	}
	end, err := electric.ParseOffset("8_0")
	if err != nil {
		t.Fatal(err)
	}
	tail.pass(&batch{entries: []*entry{e}, end: end, upToDate: true, size: e.size()})
	if tail.rushes.now == nil {
		t.Fatal("there is none")
	}
	if _, err := all[0].leave(ErrOver); !errors.Is(err, ErrOver) {
		t.Error(err)
	}
	for _, w := range all[1:] {
		if tail.rushes.now == nil {
			t.Fatal("it ends too early")
		}
		part := (<-w.wake).part
		_, _ = part.Close(), part.Close() // the second changes nothing
	}
	if tail.rushes.now != nil {
		t.Error("it goes on")
	}
}
