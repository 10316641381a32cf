package grantcache

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// quick is an engine that grants everybody a hundred documents.
type quick struct {
	world
	events chan authz.WatchEvent
	calls  atomic.Int64
}

func (q *quick) LookupResources(_ context.Context, _ authz.Lookup, yield func(string)) (authz.ZedToken, error) {
	q.calls.Add(1)
	for i := range 100 {
		yield(fmt.Sprintf("d%d", i))
	}
	return "1", nil
}

func (q *quick) Watch(ctx context.Context, _ authz.ZedToken, yield func(authz.WatchEvent)) error {
	for {
		select {
		case e := <-q.events:
			yield(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *quick) Heartbeat(_ context.Context, process string, n uint64) error {
	q.events <- authz.WatchEvent{Heartbeats: map[string]uint64{process: n}, Through: authz.ZedToken(fmt.Sprint("h", n))}
	return nil
}

// With 10,000 sets kept, 250 group-in-group relationships are written at once. It reports
// how long the event took to take in, the longest that a reader of another permission
// waited for a decision from the cache meanwhile, the longest that the same goroutine was
// kept from running without any lock (which is the machine's part), and how old the watch's
// proof became.
func BenchmarkManyGroupsForManyReaders(b *testing.B) {
	const people, groups = 10_000, 250
	q := &quick{world: *newWorld("other workspace:main#sync"), events: make(chan authz.WatchEvent)} //nolint:govet // not used yet
	c, err := New(Config{Engine: q, Key: testKey, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() { cancel(); <-done; _ = c.Close() }()
	for !c.Current() {
		time.Sleep(time.Millisecond)
	}
	subscriptions := make([]authz.Subscription, people)
	for i := range subscriptions {
		subscriptions[i], _ = c.Subscribe(authz.Question{Subject: person(fmt.Sprint("p", i)), Rule: authz.Rule{Filters: []authz.Filter{document}}})
		if _, err := subscriptions[i].Decide(ctx, authz.Bounded, ""); err != nil {
			b.Fatal(err)
		}
	}
	other, _ := c.Subscribe(authz.Question{Subject: person("other"), Rule: authz.Rule{Gate: mainSync}})
	updates := make([]authz.RelationshipUpdate, groups)
	for i := range updates {
		updates[i] = parseUpdate(fmt.Sprintf("group:g%d#member@group:h%d#member", i, i))
	}
	var longest, machine, oldest, takeIn time.Duration
	for n := 0; b.Loop(); n++ {
		before, began := q.calls.Load(), time.Now()
		event := authz.WatchEvent{Updates: updates, Through: authz.ZedToken(fmt.Sprint("e", n))}
		q.events <- event
		q.events <- authz.WatchEvent{Through: event.Through} // which is taken when the first is done
		takeIn = max(takeIn, time.Since(began))
		for q.calls.Load() < before+people {
			began := time.Now()
			if _, err := other.Decide(ctx, authz.Bounded, ""); err != nil {
				b.Fatal(err)
			}
			decided := time.Now()
			for time.Since(decided) < 20*time.Microsecond {
			}
			longest = max(longest, decided.Sub(began))
			machine = max(machine, time.Since(decided))
			oldest = max(oldest, c.freshness.age(time.Now()))
		}
	}
	b.ReportMetric(float64(takeIn.Microseconds())/1000, "ms/longest-event")
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms/longest-decision")
	b.ReportMetric(float64(machine.Microseconds())/1000, "ms/longest-pause-of-the-machine")
	b.ReportMetric(oldest.Seconds(), "s/oldest-proof")
}
