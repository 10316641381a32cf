package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// limited runs a test of a limiter in a bubble of its own time.
func limited(t *testing.T, limits Limits, held, heldPerSubject int, test func(*testing.T, *limiter)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, err := newLimiter(limits, held, heldPerSubject, prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		test(t, l)
	})
}

func admit(t *testing.T, l *limiter, subject string) *admission {
	t.Helper()
	a, err := l.admit(t.Context(), subject)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return a
}

func refusedWith(t *testing.T, err error, status int) *problem {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of status %d", status)
	}
	p := problemOf(err)
	if p.status() != status {
		t.Fatalf("status %d, want %d: %v", p.status(), status, err)
	}
	return p
}

func TestASubjectsRateIsBounded(t *testing.T) {
	limited(t, Limits{Rate: 10, Burst: 20}, 0, 0, func(t *testing.T, l *limiter) {
		for range 20 {
			admit(t, l, "user:alice").leave()
		}
		_, err := l.admit(t.Context(), "user:alice")
		if p := refusedWith(t, err, http.StatusTooManyRequests); p.retryAfter != 100*time.Millisecond || p.retryHeader() != "1" {
			t.Errorf("retry after %v", p.retryAfter)
		}
		admit(t, l, "user:bob").leave() // has a rate of its own
		time.Sleep(time.Second)
		for range 10 {
			admit(t, l, "user:alice").leave()
		}
		_, err = l.admit(t.Context(), "user:alice")
		refusedWith(t, err, http.StatusTooManyRequests)
	})
}

func TestASubjectsRequestsWaitForTheirTurn(t *testing.T) {
	limited(t, Limits{Rate: 1e6, Burst: 1e6, Concurrent: 2}, 0, 0, func(t *testing.T, l *limiter) {
		first, second := admit(t, l, "user:alice"), admit(t, l, "user:alice")
		admitted := make(chan *admission)
		go func() { a, _ := l.admit(t.Context(), "user:alice"); admitted <- a }()
		synctest.Wait()
		select {
		case <-admitted:
			t.Fatal("three requests are under way, and two may be")
		default:
		}
		admit(t, l, "user:bob").leave() // does not wait for another's
		first.leave()
		third := <-admitted
		second.leave()
		third.leave()
	})
}

func TestASubjectsRequestsDoNotWaitForEver(t *testing.T) {
	limited(t, Limits{Rate: 1e6, Burst: 1e6, Concurrent: 1}, 0, 0, func(t *testing.T, l *limiter) {
		slow := admit(t, l, "user:alice")
		started := time.Now()
		_, err := l.admit(t.Context(), "user:alice")
		if p := refusedWith(t, err, http.StatusTooManyRequests); p.retryAfter <= 0 {
			t.Error("no word of when to come back")
		}
		if waited := time.Since(started); waited != turnTime {
			t.Errorf("it waited for %v", waited)
		}
		slow.leave()
		admit(t, l, "user:alice").leave()
	})
}

func TestAFloodIsRefusedAtOnce(t *testing.T) {
	limited(t, Limits{Rate: 1e6, Burst: 1e6, Concurrent: 2}, 0, 0, func(t *testing.T, l *limiter) {
		var mu sync.Mutex
		refused, admitted := 0, []*admission{}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				a, err := l.admit(ctx, "user:alice")
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					admitted = append(admitted, a)
				case !errors.Is(err, context.Canceled):
					refused++
				}
			})
		}
		synctest.Wait()
		mu.Lock()
		if want := 500 - 2 - 2*queuedPerPlace; refused != want || len(admitted) != 2 {
			t.Errorf("%d were refused and %d admitted, want %d and 2", refused, len(admitted), want)
		}
		mu.Unlock()
		cancel()
		all.Wait()
		for _, a := range admitted {
			a.leave()
		}
	})
}

func TestHeldRequestsAreBoundedApart(t *testing.T) {
	limited(t, Limits{Rate: 1e6, Burst: 1e6, Concurrent: 1}, 3, 2, func(t *testing.T, l *limiter) {
		hold := func(subject string) (*admission, error) {
			a := admit(t, l, subject) // a held one does not take the place
			return a, a.hold(prometheus.NewGauge(prometheus.GaugeOpts{}))
		}
		var held []*admission
		for range 2 {
			a, err := hold("user:alice")
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, a)
		}
		a, err := hold("user:alice")
		if p := refusedWith(t, err, http.StatusTooManyRequests); p.retryAfter <= 0 {
			t.Error("no word of when to come back")
		}
		a.leave()
		b, err := hold("user:bob")
		if err != nil {
			t.Fatal(err)
		}
		c, err := hold("user:carol")
		refusedWith(t, err, http.StatusServiceUnavailable)
		c.leave()
		held[0].leave()
		held[0].leave() // the second time says nothing
		if a, err = hold("user:alice"); err != nil {
			t.Error(err)
		}
		for _, one := range []*admission{a, b, held[1]} {
			one.leave()
		}
		if l.allHeld != 0 {
			t.Errorf("%d are counted as held", l.allHeld)
		}
	})
}

// A subject that asks for many first reads waits for its own, and others do not. A long-poll
// or stream that is held gave up its place: to ask for rows when grants change, it takes
// one again.
func TestOneSubjectCannotFillTheLineToElectric(t *testing.T) {
	for _, held := range []bool{false, true} {
		t.Run(fmt.Sprint("held ", held), func(t *testing.T) { testTheLineToElectric(t, held) })
	}
}

// read is a request that asks for rows by itself.
func read(ctx context.Context, a *admission) (done func(), err error) {
	turn, err := a.turn(ctx)
	if err != nil {
		return nil, err
	}
	asked, err := a.limiter.read(ctx)
	if err != nil {
		turn()
		return nil, err
	}
	return func() { asked(); turn() }, nil
}

func testTheLineToElectric(t *testing.T, held bool) {
	limited(t, Limits{Rate: 1e6, Burst: 1e6, Concurrent: 2, Reads: 3}, 0, 0, func(t *testing.T, l *limiter) {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				a, err := l.admit(ctx, "user:alice")
				if err != nil {
					return
				}
				defer a.leave()
				if held {
					if err := a.hold(prometheus.NewGauge(prometheus.GaugeOpts{})); err != nil {
						t.Error(err)
					}
				}
				if done, err := read(ctx, a); err == nil {
					<-ctx.Done()
					done()
				}
			})
		}
		synctest.Wait()
		a := admit(t, l, "user:bob")
		started := time.Now()
		done, err := read(t.Context(), a)
		if err != nil || time.Since(started) != 0 {
			t.Fatalf("bob waited for %v: %v", time.Since(started), err)
		}
		_, err = read(t.Context(), a)
		refusedWith(t, err, http.StatusServiceUnavailable)
		done()
		a.leave()
		cancel()
		all.Wait()
		alice := admit(t, l, "user:alice") // every place was given back
		if !alice.load.places.TryAcquire(1) {
			t.Error("a place was not given back")
		}
	})
}

func TestASubjectThatIsIdleIsForgotten(t *testing.T) {
	limited(t, Limits{Rate: 10, Burst: 20}, 0, 0, func(t *testing.T, l *limiter) {
		held := admit(t, l, "user:held")
		if err := held.hold(prometheus.NewGauge(prometheus.GaugeOpts{})); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			admit(t, l, fmt.Sprint("user:", i)).leave()
		}
		if got := l.known(); got != 1001 {
			t.Errorf("%d subjects are known", got)
		}
		time.Sleep(l.recovery() - time.Millisecond)
		if got := l.known(); got != 1001 {
			t.Errorf("%d subjects are known: their rate has not recovered", got)
		}
		time.Sleep(time.Millisecond)
		if got := l.known(); got != 1 {
			t.Errorf("%d subjects are known", got)
		}
		held.leave()
	})
}

// Requests free what earlier ones left behind, without a call to known.
func TestTheLimiterDoesNotGrow(t *testing.T) {
	limited(t, Limits{Rate: 10, Burst: 20}, 0, 0, func(t *testing.T, l *limiter) {
		for i := range 10_000 {
			admit(t, l, fmt.Sprint("user:", i)).leave()
			time.Sleep(100 * time.Millisecond)
			if n := len(l.subjects); n > 25 {
				t.Fatalf("%d subjects are known", n)
			}
		}
	})
}
