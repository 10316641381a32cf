package rush

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// giveWay returns how long a request gives way.
func giveWay(ctx context.Context, s *Rushes) time.Duration {
	start := time.Now()
	s.GiveWay(ctx)
	return time.Since(start)
}

func inTime(t *testing.T, do func(t *testing.T, s *Rushes)) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		do(t, s)
		time.Sleep(2 * longest) // the ends of all times have come
	})
}

func TestARequestGivesWayToWokenReaders(t *testing.T) {
	inTime(t, func(t *testing.T, s *Rushes) {
		few := s.Add(many - 1)
		if took := giveWay(t.Context(), s); took != 0 {
			t.Errorf("it gives way to a few for %v", took)
		}
		r := s.Add(1)
		if r != few || s.Add(many) != r {
			t.Error("readers of the same moment are not of one rush")
		}
		go func() {
			time.Sleep(20 * time.Millisecond)
			for range 2 * many {
				r.Done()
			}
		}()
		if took := giveWay(t.Context(), s); took != 20*time.Millisecond+pause {
			t.Errorf("it gives way for %v", took)
		}
		if took := giveWay(t.Context(), s); took != 0 {
			t.Errorf("it gives way for %v when all are answered", took)
		}
	})
}

// Readers that a change of grants wakes come one by one, while the first are answered.
func TestReadersThatComeOneByOneAreARush(t *testing.T) {
	inTime(t, func(t *testing.T, s *Rushes) {
		var all []*Rush
		for i := range 3 * many {
			all = append(all, s.Add(1))
			if i%3 == 0 {
				all[i].Done()
			}
		}
		for i, r := range all {
			if i%3 != 0 {
				r.Done()
			}
		}
		time.Sleep(pause / 2)
		late := s.Add(1) // it was woken with the others, and runs now
		if late != all[len(all)-1] {
			t.Error("the reader that comes last is of another rush, or of none")
		}
		time.Sleep(pause)
		late.Done()
		if took := giveWay(t.Context(), s); took != pause {
			t.Errorf("it gives way for %v after the last answer", took)
		}
	})
}

// A client that does not take its answer holds nobody up for long, now or later.
func TestARushEnds(t *testing.T) {
	inTime(t, func(t *testing.T, s *Rushes) {
		slow := s.Add(many)
		if took := giveWay(t.Context(), s); took != longest {
			t.Errorf("it gives way for %v", took)
		}
		next := s.Add(many)
		slow.Done()
		for range many {
			next.Done()
		}
		if took := giveWay(t.Context(), s); took != pause {
			t.Errorf("it gives way for %v", took)
		}
		s.Add(many)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if took := giveWay(gone, s); took != 0 {
			t.Errorf("a client that is gone gives way for %v", took)
		}
	})
}

// Some slow clients, fewer than a rush has, do not make a rush of every later reader.
func TestSlowClientsAreNoRush(t *testing.T) {
	inTime(t, func(t *testing.T, s *Rushes) {
		s.Add(many - 1)
		time.Sleep(longest + time.Nanosecond)
		s.Add(1).Done()
		s.Add(1)
		if s.isOn() {
			t.Error("two readers are a rush, long after the others")
		}
	})
}

// Where nobody counts, nobody gives way.
func TestNoRushes(t *testing.T) {
	var none *Rushes
	none.Add(many).Done()
	none.GiveWay(t.Context())
}

// What a rush leaves behind is collected once nobody is answered any more.
func TestTheEndOfARushIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Rushes{ended: make(chan struct{}, 1)}
		r := s.Add(many)
		if len(s.ended) != 0 {
			t.Error("it is told at the beginning")
		}
		for range many {
			r.Done()
		}
		time.Sleep(pause)
		synctest.Wait()
		if len(s.ended) != 1 {
			t.Error("the end is not told")
		}
		s.Add(1).Done()
		<-s.ended
		if len(s.ended) != 0 {
			t.Error("a reader alone is told of")
		}
		time.Sleep(longest)
	})
}
