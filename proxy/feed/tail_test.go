package feed

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

func position(t *testing.T, s string) electric.Offset {
	t.Helper()
	o, err := electric.ParseOffset(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTheWindowHasTheNewestMessages(t *testing.T) {
	var all account
	w := &window{memory: account{above: &all}}
	at := func(n int) electric.Offset { return position(t, fmt.Sprintf("%d_0", 10*n)) }
	w.begin(Place{Handle: "h", Offset: at(0)}, nil)
	for n := range 5 { // the batch number n + 1 ends at n + 1; the third one is empty
		b := &batch{from: at(n), end: at(n + 1), upToDate: true, size: 100}
		if b.entries = []*entry{{}}; n == 2 {
			b.entries = nil
		}
		w.add(b)
	}
	for _, s := range []struct {
		most, size int    // bytes
		has        string // for each position from 0 to 6
		after      []int  // the number of batches after each position
	}{
		{400, 400, "yyyyyyn", []int{4, 3, 2, 2, 1, 0}},
		{399, 300, "nyyyyyn", []int{3, 3, 2, 2, 1, 0}},
		{100, 100, "nnnnyyn", []int{1, 1, 1, 1, 1, 0}},
		{99, 0, "nnnnnyn", []int{0, 0, 0, 0, 0, 0}},
	} {
		w.trim(s.most)
		if w.memory.size() != s.size || all.size() != s.size {
			t.Errorf("trimmed to %d: %d bytes, %d counted above", s.most, w.memory.size(), all.size())
		}
		for n, want := range s.has {
			if got := w.has(Place{Handle: "h", Offset: at(n)}); got != (want == 'y') {
				t.Errorf("trimmed to %d: position %d is there: %v", s.most, n, got)
			}
		}
		for n, want := range s.after {
			if got := w.after(at(n)); len(got.batches) != want {
				t.Errorf("trimmed to %d: %d batches after %d, want %d", s.most, len(got.batches), n, want)
			}
		}
	}
	if w.has(Place{Handle: "other", Offset: at(5)}) {
		t.Error("it has a place in another log")
	}
	w.begin(Place{}, nil)
	if w.has(Place{}) || w.isOf(Place{}) {
		t.Error("a window of no log has a place")
	}
	w.add(&batch{})
	if w.count != 6 {
		t.Errorf("the next batch has the number %d", w.count)
	}
}

func TestTheLatestHandlesAreRemembered(t *testing.T) {
	var f former
	f.add("")
	for n := range mostFormer + 2 {
		f.add(fmt.Sprint(n))
	}
	f.remove("5")
	for handle, want := range map[string]bool{"": false, "0": false, "1": false, "2": true, "5": false, fmt.Sprint(mostFormer + 1): true} {
		if f.has(handle) != want {
			t.Errorf("%q: %v", handle, !want)
		}
	}
}

func TestAnswersCountOnceAndOnlyTheLatest(t *testing.T) {
	x := answers{most: 100}
	a, b := &Cohort{}, &Cohort{}
	one := x.of(a, span{1, 1, true})
	one.Body = make([]byte, 30)
	for range 2 {
		if x.count(a, one) || x.memory.size() != 60 {
			t.Errorf("%d bytes", x.memory.size())
		}
	}
	if x.of(a, span{1, 1, true}) != one {
		t.Error("an answer is not shared")
	}
	two := x.of(b, span{1, 2, true})
	two.Body = make([]byte, 30)
	if !x.count(b, two) || x.memory.size() != 120 {
		t.Error("it is not too much")
	}
	if x.of(a, span{1, 1, false}) == one || x.memory.size() != 60 {
		t.Errorf("a former answer counts: %d bytes", x.memory.size())
	}
	if x.count(a, one); x.memory.size() != 60 {
		t.Error("a former answer counts")
	}
	if x.forget(b); x.memory.size() != 0 || x.of(b, span{1, 2, true}) == two {
		t.Error("an answer is not forgotten")
	}
}

func TestAUseIsIdleOnceNobodyReads(t *testing.T) {
	var u use
	now := time.Unix(1000, 0)
	u.begin()
	u.begin()
	u.end(now)
	if u.idleFor(now.Add(time.Hour)) >= 0 {
		t.Error("somebody reads")
	}
	if u.end(now); u.idleFor(now.Add(time.Hour)) != time.Hour {
		t.Error("nobody reads")
	}
	c := make(charges)
	c.add("ann")
	c.add("ann")
	if c.remove("ann"); c["ann"] != 1 {
		t.Error("the charges of ann are lost")
	}
	if c.remove("ann"); len(c) != 0 {
		t.Error("ann is kept")
	}
}

// Whoever joins, leaves or is taken, every waiter is in its lists once, at its index.
func TestEveryWaiterIsInItsLists(t *testing.T) {
	tail := benchTail(0, 0)
	x := &tail.waiters
	var cohorts []*Cohort
	for n := range 3 {
		cohorts = append(cohorts, tail.cohort(fmt.Sprint(n), func() (View, Encoder) { return View{All: true}, encodeAll }))
	}
	random := rand.New(rand.NewPCG(1, 2))
	var waiting []*Waiter
	for range 1000 {
		switch n := random.IntN(len(waiting) + 20); {
		case n == 0:
			taken := x.take(cohorts[random.IntN(3)])
			waiting = slices.DeleteFunc(waiting, func(w *Waiter) bool { return slices.Contains(taken, w) })
		case n < len(waiting):
			x.remove(waiting[n])
			waiting = slices.Delete(waiting, n, n+1)
		default:
			w := &Waiter{interest: Interest{Cohort: cohorts[random.IntN(3)], Late: random.IntN(2) == 0, Newest: 741}}
			x.join(w)
			waiting = append(waiting, w)
		}
		late := 0
		for _, w := range waiting {
			if w.gone || w.interest.Cohort.waiters[w.index] != w {
				t.Fatal("a waiter is not with its cohort")
			}
			if w.interest.Late {
				if late++; x.late[w.lateIndex] != w {
					t.Fatal("a late waiter is not among the late ones")
				}
			}
		}
		if x.number != len(waiting) || len(x.late) != late {
			t.Fatalf("%d wait, %d of them late; want %d and %d", x.number, len(x.late), len(waiting), late)
		}
	}
	if all := x.takeAll(); len(all) != len(waiting) || x.number != 0 || len(x.late) != 0 {
		t.Errorf("%d were taken, of %d", len(all), len(waiting))
	}
}

// A reader that leaves at the moment when it is woken has not read what woke it. Its part ends
// before that, and so is not up to date: a client that is told it is drops the steps of its
// snapshots, and reads late messages as new ones.
func TestAReaderThatLeavesAsItIsWokenIsNotUpToDate(t *testing.T) {
	for _, why := range []error{ErrOver, ErrChanged} {
		tail := benchTail(0, 0)
		cohort := tail.cohort("all", func() (View, Encoder) { return View{All: true}, encodeAll })
		w := &Waiter{wake: make(chan wake, 1), interest: Interest{Cohort: cohort}}
		tail.waiters.join(w)
		e, err := tail.cohorts.columns.decode(update("doc-0"))
		if err != nil {
			t.Fatal(err)
		}
		before := tail.window.end
		tail.pass(&batch{entries: []*entry{e}, from: before, end: position(t, "8_0"), upToDate: true, lastSeen: 9, size: e.size()})
		p, err := w.leave(why)
		if err != why {
			t.Fatal(err)
		}
		if p.End.Offset != before || !p.Empty() || p.UpToDate {
			t.Errorf("%v: a part up to %s, up to date: %v; want one up to %s that is not", why, p.End.Offset, p.UpToDate, before)
		}
	}
}
