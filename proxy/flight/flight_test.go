package flight_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/shapegate/shapegate/proxy/flight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what is asked about: a number that grows.
type world struct {
	*flight.Group[string, int]
	t *testing.T

	mu    sync.Mutex
	now   int
	asked []int         // what the shared answers were
	gate  chan struct{} // an answer that is shared takes as long; nil: no time
	fit   bool
	err   error
}

func newWorld(t *testing.T) *world {
	w := &world{Group: flight.New[string, int](), t: t, fit: true}
	t.Cleanup(w.Close)
	return w
}

func (w *world) ask(ctx context.Context) (int, bool, error) {
	w.mu.Lock()
	now, gate := w.now, w.gate
	w.asked = append(w.asked, now)
	w.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return 0, false, context.Cause(ctx)
		}
	}
	return now, w.fit, w.err
}

func (w *world) grow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now++
}

// call joins the calls for a, and writes to the channel what came of it: a number, alone, or
// an error.
func (w *world) call(ctx context.Context) <-chan string {
	out := make(chan string, 1)
	go func() {
		n, shared, done, err := w.Join(ctx, "a", w.ask)
		defer done()
		switch {
		case err != nil:
			out <- err.Error()
		case shared:
			out <- fmt.Sprint(n)
		default:
			out <- "alone"
		}
	}()
	synctest.Wait()
	return out
}

// first makes a call that goes alone, and returns its end.
func (w *world) first() (done func()) {
	w.t.Helper()
	_, shared, done, err := w.Join(w.t.Context(), "a", w.ask)
	if shared || err != nil {
		w.t.Fatalf("the first call does not go alone: %v", err)
	}
	return done
}

func (w *world) are(calls []<-chan string, want string) {
	w.t.Helper()
	synctest.Wait()
	for i, c := range calls {
		select {
		case got := <-c:
			if got != want {
				w.t.Errorf("call %d: %s, want %s", i, got, want)
			}
		default:
			w.t.Errorf("call %d waits", i)
		}
	}
}

func TestCallsOneAfterTheOtherGoAlone(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.first()()
	}
	if len(w.asked) > 0 {
		t.Errorf("asked for others: %v", w.asked)
	}
}

// Each call gets an answer that was asked for after it: the second question is asked when
// the first is answered, and the third when the second is.
func TestCallsThatComeMeanwhileShareTheNextAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		done := w.first()
		w.grow()
		second := []<-chan string{w.call(t.Context()), w.call(t.Context()), w.call(t.Context())}
		if n := w.Waiting(); n != len(second) {
			t.Errorf("%d wait", n)
		}
		w.gate = make(chan struct{})
		done()
		synctest.Wait() // the second question is under way
		w.grow()
		third := []<-chan string{w.call(t.Context()), w.call(t.Context())}
		w.gate <- struct{}{}
		w.are(second, "1")
		w.gate <- struct{}{}
		w.are(third, "2")
		if want := []int{1, 2}; !slices.Equal(w.asked, want) {
			t.Errorf("asked when it was %v, want %v", w.asked, want)
		}
		if n := w.Waiting(); n != 0 {
			t.Errorf("%d wait in the end", n)
		}
		w.first()() // nothing is left
	})
}

func TestOtherKeysAreNoneOfItsBusiness(t *testing.T) {
	w := newWorld(t)
	done := w.first()
	defer done()
	_, shared, other, err := w.Join(t.Context(), "b", w.ask)
	if shared || err != nil {
		t.Errorf("it waits for another key: %v", err)
	}
	other()
}

// Where an answer cannot be shared, everybody asks alone, and nobody waits any more.
func TestAnAnswerThatCannotBeSharedHasEverybodyAskAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fit, w.gate = false, make(chan struct{})
		done := w.first()
		second := []<-chan string{w.call(t.Context())}
		done()
		synctest.Wait()
		third := []<-chan string{w.call(t.Context())}
		close(w.gate)
		w.are(append(second, third...), "alone")
		if len(w.asked) != 1 {
			t.Errorf("asked %d times", len(w.asked))
		}
		w.first()()
	})
}

func TestAnErrorIsSharedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.err = errors.New("away")
		done := w.first()
		calls := []<-chan string{w.call(t.Context()), w.call(t.Context())}
		done()
		w.are(calls, "away")
	})
}

// The process goes on after a panic: those who wait for the answer get an error.
func TestAPanicIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		done := w.first()
		errs := make(chan error, 2)
		for range cap(errs) {
			go func() {
				_, shared, _, err := w.Join(t.Context(), "a", func(context.Context) (int, bool, error) { panic("odd header") })
				if shared {
					t.Error("an answer")
				}
				errs <- err
			}()
		}
		synctest.Wait()
		done()
		for range cap(errs) {
			if err := <-errs; err == nil || !strings.Contains(err.Error(), "odd header") || !strings.Contains(err.Error(), "flight_test.go") {
				t.Errorf("error %v", err)
			}
		}
		synctest.Wait()
		w.first()() // nothing is left
	})
}

// A call whose context ends leaves, and the others get their answer.
func TestACallThatEndsLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		done := w.first()
		ctx, cancel := context.WithCancelCause(t.Context())
		gone, stays := w.call(ctx), w.call(t.Context())
		cancel(errors.New("gone"))
		w.are([]<-chan string{gone}, "gone")
		done()
		w.are([]<-chan string{stays}, "0")
	})
}

// A question costs something where it is asked. It is for those who wait, and ends with the
// last of them.
func TestAQuestionEndsWhenNobodyWaitsForItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gate = make(chan struct{}) // which nobody opens
		done := w.first()
		ctx, cancel := context.WithCancelCause(t.Context())
		calls := []<-chan string{w.call(ctx)}
		last, end := context.WithCancelCause(t.Context())
		calls = append(calls, w.call(last))
		done()
		cancel(errors.New("gone"))
		w.are(calls[:1], "gone")
		next := w.call(t.Context()) // waits until the question is answered, or has ended
		end(errors.New("gone"))
		w.are(calls[1:], "gone")
		w.gate <- struct{}{} // of the next question
		w.are([]<-chan string{next}, "0")
	})
}

func TestNothingIsAskedForThoseWhoHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		done := w.first()
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := w.call(ctx)
		cancel(errors.New("gone"))
		w.are([]<-chan string{gone}, "gone")
		done()
		synctest.Wait()
		if len(w.asked) > 0 {
			t.Errorf("asked for nobody: %v", w.asked)
		}
		w.first()()
	})
}

func TestCloseEndsWhatIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gate = make(chan struct{}) // which nobody opens
		w.first()()
		done := w.first()
		call := w.call(t.Context())
		done()
		synctest.Wait()
		w.Close()
		w.are([]<-chan string{call}, "context canceled")
		last := w.first()
		w.are([]<-chan string{w.call(t.Context())}, "alone") // with a call under way
		last()
	})
}

func BenchmarkJoinAlone(b *testing.B) {
	g := flight.New[string, int]()
	defer g.Close()
	b.ReportAllocs()
	for b.Loop() {
		_, _, done, _ := g.Join(b.Context(), "a", nil)
		done()
	}
}
