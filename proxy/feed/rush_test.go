package feed

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/rush"
)

// isRush reports whether requests give way.
func isRush(t *testing.T, s *rush.Rushes) bool {
	ctx, cancel := context.WithCancel(t.Context())
	came := make(chan struct{})
	go func() {
		defer close(came)
		s.GiveWay(ctx)
	}()
	synctest.Wait()
	defer func() {
		cancel()
		<-came
	}()
	select {
	case <-came:
		return false
	default:
		return true
	}
}

// A rush is over when each woken reader has closed its part, or has left at the same moment.
func TestARushIsOverWhenAllAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const readers = 1000
		tail := benchTail(0, 0)
		tail.rushes = rush.New()
		defer tail.rushes.Close()
		cohort := tail.cohort("all", func() (View, Encoder) { return View{All: true}, encodeAll })
		var all []*Waiter
		for range readers {
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
		if !isRush(t, tail.rushes) {
			t.Fatal("there is none")
		}
		if _, err := all[0].leave(ErrOver); !errors.Is(err, ErrOver) {
			t.Error(err)
		}
		for i, w := range all[1:] {
			part := (<-w.wake).part
			if i == readers-2 && !isRush(t, tail.rushes) {
				t.Fatal("it ends too early")
			}
			_, _ = part.Close(), part.Close() // the second changes nothing
		}
		time.Sleep(100 * time.Millisecond) // it would last longer
		if isRush(t, tail.rushes) {
			t.Error("it goes on")
		}
	})
}
