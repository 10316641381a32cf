package feed

import (
	"fmt"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// These benchmarks are of the loops that run for each message of a log. The cost of a
// message that no reader may see must not grow with the number of waiting readers, and
// it must not allocate for them.
var benchIDs = authz.NewIDs(authz.NewFingerprintKey([]byte("a key for the benches of feeds")))

// benchTail is a tail with cohorts of one waiting reader each. Each reader holds some
// ids, and no two hold the same one.
func benchTail(people, held int) *tail {
	t := newTail(newColumns([]Column{{Name: "id"}}), &Config{Memory: 64 << 20}, nil, func() {})
	t.begin(Place{Handle: "h"}, nil)
	for p := range people {
		set := authz.NewGrantSet(benchIDs, func(yield func(string) bool) {
			for i := range held {
				if !yield(fmt.Sprintf("doc-%d", p*held+i)) {
					return
				}
			}
		})
		a := t.cohort(fmt.Sprint(p), func() (View, Encoder) { return View{Grants: []Grant{{IDs: set}}}, encodeAll })
		t.waiters.join(&Waiter{wake: make(chan wake, 1), interest: Interest{Cohort: a, Late: true, Newest: 741}})
	}
	return t
}

func encodeAll(dst []byte, m *electric.Message) ([]byte, bool, error) {
	return append(dst, m.Raw...), true, nil
}

func update(id string) *electric.Message {
	m, err := electric.ParseMessage([]byte(`{"key":"\"public\".\"docs\"/\"` + id + `\"","value":{"id":"` + id +
		`","title":"a title of a row","updated_at":"2026-01-01 00:00:00+00"},"headers":{"operation":"update","relation":["public","docs"],"lsn":"24001304","op_position":0,"txids":[741]}}`))
	if err != nil {
		panic(err)
	}
	return &m
}

func BenchmarkDecode(b *testing.B) {
	columns := newColumns([]Column{{Name: "id"}})
	m := update("doc-0")
	b.ReportAllocs()
	b.SetBytes(int64(len(m.Raw)))
	for b.Loop() {
		if _, err := columns.decode(m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInvisible is a message that no waiting reader may see: one with an id that
// was never granted, and one with an id that was granted to a reader who does not wait.
func BenchmarkInvisible(b *testing.B) {
	for _, people := range []int{100, 1000, 10_000} {
		t := benchTail(people, 100)
		authz.NewGrantSet(benchIDs, func(yield func(string) bool) { yield("granted elsewhere") })
		for _, id := range []string{"granted to nobody", "granted elsewhere"} {
			b.Run(fmt.Sprintf("people=%d/%s", people, id), func(b *testing.B) {
				e, err := t.cohorts.columns.decode(update(id))
				if err != nil {
					b.Fatal(err)
				}
				batch := &batch{entries: []*entry{e}, oldest: 741, hasOldest: true}
				b.ReportAllocs()
				for b.Loop() {
					if wakes := t.waiters.wake(batch, nil); len(wakes) > 0 {
						b.Fatal("a reader was woken")
					}
				}
			})
		}
	}
}

// BenchmarkVisible is a message that one reader of many may see.
func BenchmarkVisible(b *testing.B) {
	for _, people := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("people=%d", people), func(b *testing.B) {
			t := benchTail(people, 100)
			e, err := t.cohorts.columns.decode(update(fmt.Sprintf("doc-%d", people*50)))
			if err != nil {
				b.Fatal(err)
			}
			entries := []*entry{e}
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				t.cohorts.concerned(entries, func(*Cohort) { n++ })
				if n != 1 {
					b.Fatalf("%d may see it", n)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	all := &batch{}
	for range 100 {
		e, err := newColumns([]Column{{Name: "id"}}).decode(update("doc-0"))
		if err != nil {
			b.Fatal(err)
		}
		all.add(e)
	}
	p := Part{messages: messages{batches: []*batch{all}}, UpToDate: true}
	b.ReportAllocs()
	for b.Loop() {
		if err := new(Answer).fill(&p, encodeAll); err != nil {
			b.Fatal(err)
		}
	}
}

// The index finds exactly the cohorts that a message concerns, after any additions and
// removals.
func TestTheIndexFindsTheReadersThatMaySee(t *testing.T) {
	for seed := range 20 {
		x := newIndex(2)
		var all []*Cohort
		number := func(n int) id { return id{text: []byte("x"), number: uint32(n), known: true} }
		state := uint32(seed*2654435761 + 1)
		next := func(n int) int {
			state = state*1664525 + 1013904223
			return int(state>>8) % n
		}
		for i := range 500 {
			if i%3 == 2 {
				n := next(len(all))
				x.remove(all[n])
				all = append(all[:n], all[n+1:]...)
			} else {
				a := &Cohort{}
				for c := range 2 {
					set := authz.NewGrantSet(benchIDs, func(yield func(string) bool) {
						for range next(5) {
							if !yield(fmt.Sprintf("n-%d", next(200))) {
								return
							}
						}
					})
					a.view.Grants = append(a.view.Grants, Grant{Column: c, IDs: set})
				}
				x.add(a, false)
				all = append(all, a)
			}
			numbered := make([]ids, 2)
			for c := range numbered {
				numbered[c] = ids{now: number(next(300)), before: number(next(300))}
			}
			want, got := make(map[*Cohort]bool), make(map[*Cohort]bool)
			for _, a := range all {
				if a.view.sees(numbered) {
					want[a] = true
				}
			}
			x.find(numbered, func(a *Cohort) { got[a] = true })
			if len(got) != len(want) {
				t.Fatalf("seed %d: found %d, there are %d", seed, len(got), len(want))
			}
			for a := range want {
				if !got[a] {
					t.Fatalf("seed %d: one was not found", seed)
				}
			}
		}
	}
}

// BenchmarkWake is a change that every waiting reader may see: 9,000 readers in 100
// cohorts are woken, and take the answer of their cohort.
func BenchmarkWake(b *testing.B) {
	const cohorts, readers = 100, 90
	t := benchTail(0, 0)
	var all []*Waiter
	for n := range cohorts {
		a := t.cohort(fmt.Sprint(n), func() (View, Encoder) {
			set := authz.NewGrantSet(benchIDs, func(yield func(string) bool) { _ = yield("doc-0") && yield(fmt.Sprint("doc-", n+1)) })
			return View{Grants: []Grant{{IDs: set}}}, encodeAll
		})
		for range readers {
			all = append(all, &Waiter{wake: make(chan wake, 1), interest: Interest{Cohort: a}})
		}
	}
	e, err := t.cohorts.columns.decode(update("doc-0"))
	if err != nil {
		b.Fatal(err)
	}
	afterStart, err := electric.ParseOffset("8_0")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, w := range all {
			t.waiters.join(w)
		}
		t.window.begin(Place{Handle: "h"}, nil)
		t.pass(&batch{entries: []*entry{e}, end: afterStart, upToDate: true, size: e.size()})
		for _, w := range all {
			part := (<-w.wake).part
			if answer, err := w.interest.Cohort.Answer(part); err != nil || len(answer.Elements) != 1 {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/cohorts/readers, "ns/reader")
}
