package feed_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// odd is a log that is answered for in ways that Electric's are not, or seldom.
type odd struct {
	*log
	refuse atomic.Bool // the next live request
	deny   atomic.Bool // every live request is answered that the log is gone
	chunk  atomic.Bool // the next live answer is not all there is
	empty  atomic.Bool // every live request is answered at once, with nothing
}

func (o *odd) ReadLog(ctx context.Context, f *electric.LogSpec, r electric.LogRequest) (*electric.LogResponse, error) {
	if r.Live && o.empty.Load() {
		o.change(func() { o.asked = append(o.asked, r) })
		return o.answer(nil, true), nil
	}
	if r.Live && o.deny.Load() {
		o.change(func() { o.asked = append(o.asked, r) })
		return nil, electric.ErrMustRefetch
	}
	resp, err := o.log.ReadLog(ctx, f, r)
	switch {
	case !r.Live || err != nil:
	case o.refuse.CompareAndSwap(true, false):
		return nil, electric.ErrRefused
	case o.chunk.CompareAndSwap(true, false):
		return part(resp)
	}
	return resp, err
}

// part is an answer without its end.
func part(resp *electric.LogResponse) (*electric.LogResponse, error) {
	var messages []string
	for {
		m, err := resp.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if m.Operation != electric.Control {
			messages = append(messages, string(m.Raw))
		}
	}
	resp.UpToDate = false
	resp.MessageReader = electric.NewMessageReader(io.NopCloser(strings.NewReader("[" + strings.Join(messages, ",") + "]")))
	return resp, nil
}

func inOddWorld(t *testing.T, test func(w *world, o *odd)) {
	t.Helper()
	o := &odd{}
	inWorld(t, feed.Config{Upstream: o}, func(w *world) { test(w, o) })
}

// After one refusal, or one answer of another Electric, the log is there again. Readers
// must not be answered for ever that it is gone.
func TestALogThatComesBackIsReadAgain(t *testing.T) {
	inOddWorld(t, func(w *world, o *odd) {
		w.end()
		synctest.Wait()
		o.refuse.Store(true)
		o.write("a")
		time.Sleep(time.Minute)
		p, err := w.feed.Read(w.Context(), w.end())
		w.check(err)
		w.rows(p)
	})
}

// While Electric starts, it answers live requests that their log is gone, and has it.
func TestALogIsNotGoneBecauseALiveRequestIsAnswered409(t *testing.T) {
	inOddWorld(t, func(w *world, o *odd) {
		at := w.end()
		x := w.wait(at, w.seeing("a"), feed.Until{})
		o.deny.Store(true)
		o.write("x") // ends the request that waits
		synctest.Wait()
		asked := len(o.requests())
		time.Sleep(time.Minute)
		if n := len(o.requests()) - asked; n > 200 {
			t.Errorf("Electric was asked %d times in a minute", n)
		}
		if !x.goesOn() {
			t.Fatalf("the wait ended with %v", x.err)
		}
		o.write("a") // and a read that is not live brings it
		x.brings("a")
		o.deny.Store(false)
		if end := w.end(); end.Handle != at.Handle {
			t.Errorf("the handle is now %s", end.Handle)
		}
		if got := w.status(); got.Restarts != 0 {
			t.Errorf("%d restarts", got.Restarts)
		}
	})
}

// After a truncate, the live request and the next one are answered that the log is gone.
func TestALogIsGoneIfEveryRequestIsAnswered409(t *testing.T) {
	inOddWorld(t, func(w *world, o *odd) {
		at := w.end()
		x := w.wait(at, w.seeing("a"), feed.Until{})
		asked := len(o.requests())
		o.rotate()
		if <-x.done; !errors.Is(x.err, electric.ErrMustRefetch) {
			t.Errorf("the wait ends with %v", x.err)
		}
		w.end()
		got := o.requests()[asked:]
		if len(got) < 2 || got[0].Live || got[0].Handle != at.Handle || got[1].Offset != electric.Now {
			t.Errorf("Electric was asked %+v", got)
		}
		if got := w.status(); got.Restarts != 1 {
			t.Errorf("%d restarts", got.Restarts)
		}
	})
}

func TestAFeedThatCouldNotBeginReadsAWholeLogAgain(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		w.end()
		w.log.fail(electric.ErrMustRefetch)
		time.Sleep(time.Second)
		w.log.fail(nil)
		time.Sleep(5 * time.Second)
		w.end()
		p, err := w.feed.Read(w.Context(), feed.Place{Offset: electric.BeforeAll})
		w.check(err) // as whole logs are read
		w.rows(p)
	})
}

func TestTheRestOfALongAnswerIsReadAtOnce(t *testing.T) {
	inOddWorld(t, func(w *world, o *odd) {
		w.end()
		synctest.Wait()
		o.chunk.Store(true)
		o.write("a")
		synctest.Wait()
		if p, err := w.feed.Read(w.Context(), w.end()); err != nil || !p.UpToDate {
			t.Errorf("a read of the rest: %v", err)
		}
		if got := w.log.requests(); got[len(got)-1].Live && got[len(got)-2].Live {
			t.Error("the rest was waited for")
		}
	})
}

func TestEmptyAnswersDoNotMakeABusyLoop(t *testing.T) {
	inOddWorld(t, func(w *world, o *odd) {
		o.empty.Store(true)
		w.end()
		asked := len(w.log.requests())
		time.Sleep(time.Minute)
		if got := len(w.log.requests()) - asked; got > 200 {
			t.Errorf("Electric was asked %d times in a minute", got)
		}
		o.empty.Store(false)
		at := w.end()
		o.write("a")
		time.Sleep(2 * time.Second)
		w.wait(at, w.seeing("a"), feed.Until{}).brings("a")
	})
}

func TestAnswersOfALogThatIsGoneDoNotCount(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		a := w.seeing("a")
		x := w.wait(w.end(), a, feed.Until{})
		w.log.write("a")
		<-x.done
		w.log.rotate()
		time.Sleep(time.Second)
		x.brings("a")
		if got := w.status(); got.AnswerBytes != 0 || got.Cohorts != 0 {
			t.Errorf("%d bytes of answers for %d cohorts", got.AnswerBytes, got.Cohorts)
		}
		if _, err := w.read(w.Context(), w.end(), feed.Interest{Cohort: a}, feed.Until{}); !errors.Is(err, electric.ErrMustRefetch) {
			t.Errorf("a wait among those who are gone: %v", err)
		}
	})
}

// What a new reader begins at must not be long past.
func TestAPositionIsNewAfterALongSilence(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		w.end()
		time.Sleep(time.Hour)
		synctest.Wait() // a live request may end, and the next begin, at this very moment
		asked := len(w.log.requests())
		w.end()
		if got := len(w.log.requests()); got != asked {
			t.Errorf("a log that is followed was asked for its end")
		}
		w.log.fail(&electric.UnavailableError{Status: 503})
		time.Sleep(time.Second)
		if _, _, err := w.feed.Position(w.Context()); err == nil {
			t.Error("a position is returned that is not known")
		}
	})
}

func TestAFeedCountsAgainstItsReadersSubject(t *testing.T) {
	inWorld(t, feed.Config{Feeds: 4, PerSubject: 2}, func(w *world) {
		open := func(where, subject string) (*feed.Feed, error) {
			return w.feeds.Open(&electric.LogSpec{Schema: "public", Table: "docs", Where: where}, columns(), "docs", subject)
		}
		mine, err := open("one", "user:ann") // the second one, besides the world's
		w.check(err)
		if _, err = open("two", "user:ann"); !errors.Is(err, feed.ErrTooManyForSubject) {
			t.Errorf("a third one: %v", err)
		}
		mine.Release()
		_, err = open("one", "user:ben") // who takes it over
		w.check(err)
		two, err := open("two", "user:ann")
		w.check(err)
		two.Release()
		_, err = open("three", "user:cyd")
		w.check(err)
		_, err = open("four", "user:cyd") // in the place of the one that is idle
		w.check(err)
		if _, err = open("five", "user:dan"); !errors.Is(err, feed.ErrTooMany) {
			t.Errorf("a fifth one: %v", err)
		}
	})
}
