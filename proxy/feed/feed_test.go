package feed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

var ids = authz.NewIDs(authz.NewFingerprintKey([]byte("a key for the tests of feeds")))

// world is feeds of one log, in a bubble of its own time.
type world struct {
	*testing.T
	log   *log
	feeds *feed.Feeds
	feed  *feed.Feed
}

// inWorld runs a test in a bubble, and makes sure that nothing is left of it.
func inWorld(t *testing.T, cfg feed.Config, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, log: newLog()}
		if o, ok := cfg.Upstream.(*odd); ok {
			o.log = w.log
		} else {
			cfg.Upstream = w.log
		}
		cfg.Logger = slog.New(slog.DiscardHandler)
		var err error
		w.feeds, err = feed.New(cfg)
		w.check(err)
		defer w.feeds.Close()
		w.feed = w.open("")
		test(w)
	})
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func columns() []feed.Column { return []feed.Column{{Name: "id", ResourceType: "doc"}} }

func (w *world) open(where string) *feed.Feed {
	w.Helper()
	f, err := w.feeds.Open(&electric.LogSpec{Schema: "public", Table: "docs", Columns: []string{"id"}, Where: where}, columns(), "docs", "user:ann")
	w.check(err)
	return f
}

// end returns where the log ends.
func (w *world) end() feed.Place {
	w.Helper()
	at, table, err := w.feed.Position(w.Context())
	w.check(err)
	if table.Header != schemaHeader {
		w.Errorf("the schema is %s", table.Header)
	}
	return at
}

// seeing is the cohort of those who may see some rows.
func (w *world) seeing(granted ...string) *feed.Cohort {
	return w.feed.Cohort(strings.Join(granted, ","), func() (feed.View, feed.Encoder) {
		set := authz.NewGrantSet(ids, func(yield func(string) bool) {
			for _, id := range granted {
				if !yield(id) {
					return
				}
			}
		})
		return feed.View{Grants: []feed.Grant{{IDs: set}}}, func(dst []byte, m *electric.Message) ([]byte, bool, error) {
			v, err := m.Column("id")
			return append(dst, m.Raw...), err == nil && set.HasBytes(v.Text), err
		}
	})
}

// waiting is a wait that goes on.
type waiting struct {
	w      *world
	cohort *feed.Cohort
	done   chan struct{}
	part   *feed.Part
	err    error
}

// read joins a feed's readers, and waits where there is nothing to read at once.
func (w *world) read(ctx context.Context, after feed.Place, in feed.Interest, until feed.Until) (*feed.Part, error) {
	waiter, part, err := w.feed.Join(ctx, after, in)
	if waiter == nil {
		return part, err
	}
	return waiter.Wait(ctx, until)
}

// wait starts a wait of a reader of a cohort.
func (w *world) wait(after feed.Place, a *feed.Cohort, until feed.Until) *waiting {
	w.Helper()
	return w.waitFor(after, feed.Interest{Cohort: a}, until)
}

func (w *world) waitFor(after feed.Place, in feed.Interest, until feed.Until) *waiting {
	x := &waiting{w: w, cohort: in.Cohort, done: make(chan struct{})}
	go func() {
		defer close(x.done)
		x.part, x.err = w.read(w.Context(), after, in, until)
	}()
	synctest.Wait()
	return x
}

func (x *waiting) goesOn() bool {
	synctest.Wait()
	select {
	case <-x.done:
		return false
	default:
		return true
	}
}

// brings makes sure of the rows that a wait ends with.
func (x *waiting) brings(want ...string) *feed.Answer {
	x.w.Helper()
	<-x.done
	x.w.check(x.err)
	answer, err := x.cohort.Answer(x.part)
	x.w.check(err)
	var got []string
	for _, e := range answer.Elements {
		m, err := electric.ParseMessage(e)
		x.w.check(err)
		v, err := m.Column("id")
		x.w.check(err)
		got = append(got, string(v.Text))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		x.w.Errorf("it brings %v, want %v", got, want)
	}
	return answer
}

// rows reads a part to its end.
func (w *world) rows(p *feed.Part) (got []string) {
	w.Helper()
	for {
		m, err := p.Next()
		if errors.Is(err, io.EOF) {
			w.check(p.Close())
			return got
		}
		w.check(err)
		if m.Operation == electric.Control {
			got = append(got, m.Control)
			continue
		}
		v, err := m.Column("id")
		w.check(err)
		got = append(got, string(v.Text))
	}
}

func (w *world) status() feed.Status {
	w.Helper()
	all := w.feeds.Status()
	if len(all) != 1 {
		w.Fatalf("there are %d feeds", len(all))
	}
	return all[0]
}

func TestManyReadersAreOneRequest(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at := w.end()
		var all []*waiting
		for range 100 {
			all = append(all, w.wait(at, w.seeing("a"), feed.Until{}))
		}
		w.log.write("a", "b")
		first := all[0].brings("a")
		for _, x := range all[1:] {
			if x.brings("a") != first {
				t.Error("an answer is not shared")
			}
		}
		if most, _ := w.log.mostHeld(); most != 1 {
			t.Errorf("%d requests were held at once", most)
		}
		if want := `"up-to-date","global_last_seen_lsn":"110"}}]`; !strings.HasSuffix(string(first.Body), want) {
			t.Errorf("the answer is %s", first.Body)
		}
	})
}

func TestOnlyReadersThatMaySeeAChangeAreWoken(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at := w.end()
		over := make(chan time.Time)
		a, b := w.wait(at, w.seeing("a", "x"), feed.Until{}), w.wait(at, w.seeing("b", "c"), feed.Until{Timer: over})
		w.log.write("never granted to anybody")
		w.log.write("x")
		a.brings("x")
		if !b.goesOn() {
			t.Fatal("it was woken for what it may not see")
		}
		if got := w.status(); got.Woken != 1 || got.Waiting != 1 {
			t.Errorf("%d were woken, and %d wait", got.Woken, got.Waiting)
		}
		close(over)
		<-b.done
		if !errors.Is(b.err, feed.ErrOver) || b.part.End.Offset != w.end().Offset || !b.part.Empty() {
			t.Errorf("it ended with %v at %v", b.err, b.part.End)
		}
	})
}

// An id may be granted that had no number when a message had it.
func TestAnIDThatIsNumberedLaterIsFound(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at := w.end()
		w.wait(at, w.seeing("numbers the column"), feed.Until{})
		w.log.write("numbered later")
		synctest.Wait()
		w.wait(at, w.seeing("numbered later"), feed.Until{}).brings("numbered later")
	})
}

func TestWhatIsInMemoryIsNotAskedFor(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at := w.end()
		for _, id := range []string{"a", "b", "c"} {
			w.log.write(id)
			synctest.Wait()
		}
		asked := len(w.log.requests())
		p, err := w.feed.Read(w.Context(), at)
		w.check(err)
		if got := fmt.Sprint(w.rows(p)); got != "[a b c up-to-date]" {
			t.Errorf("it reads %s", got)
		}
		p, err = w.feed.Read(w.Context(), feed.Place{Handle: at.Handle, Offset: offset("110_0")})
		w.check(err)
		if got := fmt.Sprint(w.rows(p)); got != "[b c up-to-date]" {
			t.Errorf("it reads %s", got)
		}
		if len(w.log.requests()) != asked {
			t.Error("Electric was asked")
		}
	})
}

func TestAPlaceWithinATransactionIsReadFromThere(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at := w.end()
		w.log.write("a", "b", "c")
		synctest.Wait()
		at.Offset = offset("110_0")
		w.wait(at, w.seeing("a", "b", "c"), feed.Until{}).brings("b", "c")
	})
}

func TestWhatIsOlderThanTheWindowComesFromElectric(t *testing.T) {
	inWorld(t, feed.Config{Memory: 4096}, func(w *world) {
		at := w.end()
		for i := range 100 {
			w.log.write(fmt.Sprint(i))
			synctest.Wait()
			if got := w.status().WindowBytes; got > 4096 {
				t.Fatalf("the window has %d bytes", got)
			}
		}
		p, err := w.feed.Read(w.Context(), at)
		w.check(err)
		if got := w.rows(p); len(got) != 101 || p.InMemory() {
			t.Errorf("it reads %d messages", len(got))
		}
		x := w.wait(at, w.seeing("50"), feed.Until{})
		<-x.done
		w.check(x.err)
		if got := w.rows(x.part); len(got) != 101 {
			t.Errorf("a wait from there begins with %d messages", len(got))
		}
	})
}

func TestALogThatIsGoneIsAnswered409WithoutAskingElectric(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at := w.end()
		x := w.wait(at, w.seeing("a"), feed.Until{})
		w.log.rotate()
		if <-x.done; !errors.Is(x.err, electric.ErrMustRefetch) {
			t.Errorf("the wait ends with %v", x.err)
		}
		fresh := w.end()
		if fresh.Handle == at.Handle {
			t.Fatalf("the handle is still %s", fresh.Handle)
		}
		asked := len(w.log.requests())
		for range 10 { // readers that come back with the old handle get the answer without asking
			if _, err := w.feed.Read(w.Context(), at); !errors.Is(err, electric.ErrMustRefetch) {
				t.Errorf("the old log is read: %v", err)
			}
		}
		if len(w.log.requests()) != asked {
			t.Error("Electric was asked for a log that is known to be gone")
		}
		w.log.write("a")
		w.wait(fresh, w.seeing("a"), feed.Until{}).brings("a")
		if got := w.status().Restarts; got != 1 {
			t.Errorf("%d restarts", got)
		}
	})
}

func TestAShortAbsenceOfElectricIsNotNoticed(t *testing.T) {
	inWorld(t, feed.Config{Away: 10 * time.Second}, func(w *world) {
		at := w.end()
		x := w.wait(at, w.seeing("a"), feed.Until{})
		w.log.fail(&electric.UnavailableError{Status: 503})
		time.Sleep(9 * time.Second)
		if !x.goesOn() {
			t.Fatalf("the wait ended with %v", x.err)
		}
		if _, err := w.feed.Read(w.Context(), at); err != nil {
			t.Errorf("what is in memory is not read: %v", err)
		}
		if got := w.status(); got.Lag < 8*time.Second || got.Failures < 5 {
			t.Errorf("the lag is %v after %d failures", got.Lag, got.Failures)
		}
		w.log.fail(nil)
		w.log.write("a")
		x.brings("a")
		time.Sleep(time.Second)
		if got := w.status(); got.Lag != 0 || got.Failures != 0 {
			t.Errorf("the lag is still %v", got.Lag)
		}
	})
}

func TestALongAbsenceOfElectricIsAnError(t *testing.T) {
	inWorld(t, feed.Config{Away: 10 * time.Second}, func(w *world) {
		at := w.end()
		x := w.wait(at, w.seeing("a"), feed.Until{})
		away := &electric.UnavailableError{Status: 503, RetryAfter: 7 * time.Second}
		w.log.fail(away)
		began := time.Now()
		<-x.done
		if took := time.Since(began); !errors.Is(x.err, away) || took < 10*time.Second || took > 12*time.Second {
			t.Errorf("the wait ends with %v after %v", x.err, took)
		}
		if _, err := w.feed.Read(w.Context(), at); !errors.Is(err, away) {
			t.Errorf("it is read: %v", err)
		}
		if _, err := w.read(w.Context(), at, feed.Interest{Cohort: w.seeing("a")}, feed.Until{}); !errors.Is(err, away) {
			t.Errorf("it is waited for: %v", err)
		}
		w.log.fail(nil)
		time.Sleep(2 * time.Second)
		w.log.write("a")
		w.wait(at, w.seeing("a"), feed.Until{}).brings("a")
	})
}

func TestAReaderThatCannotBeginFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, log: newLog()}
		w.log.fail(electric.ErrRefused)
		var err error
		w.feeds, err = feed.New(feed.Config{Upstream: w.log, Logger: slog.New(slog.DiscardHandler)})
		w.check(err)
		defer w.feeds.Close()
		began := time.Now()
		w.feed = w.open("")
		if _, _, err := w.feed.Position(t.Context()); !errors.Is(err, electric.ErrRefused) || time.Since(began) > 0 {
			t.Errorf("the position comes after %v: %v", time.Since(began), err)
		}
		w.log.fail(nil)
		w.feed = w.open("") // another one
		w.end()
	})
}

func TestAMalformedLogIsNotPassedOn(t *testing.T) {
	for _, body := range []string{
		`garbage`, `{}`, `[`, `[1]`, `[{}]`, `[] []`, `[{"headers":{}}]`, `[{"headers":{"control":"must-refetch"}}]`,
		`[{"key":"k","value":{"id":"a"},"headers":{"operation":"upsert"}}]`,
		`[{"key":"k","value":{"id":"a"},"headers":{"operation":"insert"}}`,
		`[{"key":"k","value":{"id":["a"]},"headers":{"operation":"insert"}}]`,
	} {
		inWorld(t, feed.Config{Away: time.Second}, func(w *world) {
			x := w.wait(w.end(), w.seeing("a"), feed.Until{})
			w.log.change(func() { w.log.body = body })
			if <-x.done; x.err == nil || errors.Is(x.err, electric.ErrMustRefetch) {
				t.Errorf("%s: the wait ends with %v", body, x.err)
			}
			if got := w.status(); got.WindowBytes != 0 {
				t.Errorf("%s: %d bytes are kept", body, got.WindowBytes)
			}
		})
	}
}

func TestAFeedWithoutReadersEnds(t *testing.T) {
	inWorld(t, feed.Config{Idle: 30 * time.Second}, func(w *world) {
		w.end()
		time.Sleep(time.Hour)
		if got := w.status(); got.Readers != 1 {
			t.Errorf("%d readers", got.Readers)
		}
		w.feed.Release()
		time.Sleep(20 * time.Second)
		w.status()
		time.Sleep(20 * time.Second)
		if n := len(w.feeds.Status()); n != 0 {
			t.Errorf("%d feeds are left", n)
		}
		if _, held := w.log.mostHeld(); held != 0 {
			t.Error("Electric still holds a request")
		}
		w.feed = w.open("")
		w.end()
	})
}

func TestThereAreOnlySoManyFeeds(t *testing.T) {
	inWorld(t, feed.Config{Feeds: 3, PerSubject: 2}, func(w *world) {
		open := func(where, subject string) error {
			_, err := w.feeds.Open(&electric.LogSpec{Schema: "public", Table: "docs", Where: where}, columns(), "docs", subject)
			return err
		}
		w.check(open("one", "user:ann"))
		w.check(open("one", "user:ben")) // which is there
		if err := open("two", "user:ann"); !errors.Is(err, feed.ErrTooManyForSubject) {
			t.Errorf("a third one for ann: %v", err)
		}
		w.check(open("two", "user:ben"))
		if err := open("three", "user:cyd"); !errors.Is(err, feed.ErrTooMany) {
			t.Errorf("a fourth one: %v", err)
		}
	})
}

func TestALateReaderIsWokenByMessagesItsSnapshotMayHaveSeen(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at := w.end()
		in := func(newest electric.TxID) feed.Interest {
			return feed.Interest{Cohort: w.seeing("a"), Late: true, Newest: newest}
		}
		late, current := w.waitFor(at, in(702), feed.Until{}), w.waitFor(at, in(701), feed.Until{})
		w.log.write("b") // by the transaction 701
		<-late.done
		w.check(late.err)
		if got := fmt.Sprint(w.rows(late.part)); got != "[b up-to-date]" {
			t.Errorf("it is woken with %s", got)
		}
		if !current.goesOn() {
			t.Error("what comes in time has woken a reader")
		}
		w.log.write("a")
		current.brings("a")
	})
}

// A reader that stops waiting at the moment of a change has not seen the change.
func TestAReaderThatStopsWaitingKeepsItsPosition(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at := w.end()
		changed := make(chan struct{})
		x := w.wait(at, w.seeing("a"), feed.Until{Changed: changed})
		w.log.change(func() { close(changed) })
		w.log.write("a")
		<-x.done
		switch {
		case x.err == nil:
			x.brings("a")
		case errors.Is(x.err, feed.ErrChanged):
			w.wait(x.part.End, w.seeing("a"), feed.Until{}).brings("a")
		default:
			t.Error(x.err)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at, a := w.end(), w.seeing("a")
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() {
			_, err := w.read(ctx, at, feed.Interest{Cohort: a}, feed.Until{})
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if got := w.status().Waiting; got != 0 {
			t.Errorf("%d wait", got)
		}
	})
}

// A replica that was asked before may have been further.
func TestAReaderAheadOfTheLogWaitsForLaterMessages(t *testing.T) {
	inWorld(t, feed.Config{}, func(w *world) {
		at := feed.Place{Handle: w.end().Handle, Offset: offset("110_0")}
		x := w.wait(at, w.seeing("a", "b"), feed.Until{})
		<-x.done
		w.check(x.err) // Electric has been asked about the place
		if got := fmt.Sprint(w.rows(x.part)); got != "[up-to-date]" {
			t.Errorf("it reads %s", got)
		}
		x = w.wait(feed.Place{Handle: at.Handle, Offset: at.Offset, Known: true}, w.seeing("a", "b"), feed.Until{})
		w.log.write("a")
		if !x.goesOn() {
			t.Fatal("it was woken for what it has")
		}
		w.log.write("b")
		x.brings("b")
	})
}

func TestAnswersAreSharedWithinTheirBudget(t *testing.T) {
	inWorld(t, feed.Config{Memory: 64 << 10}, func(w *world) {
		at := w.end()
		long := strings.Repeat("x", 1000)
		for i := range 200 {
			id := fmt.Sprint(long, i)
			a := w.seeing(id)
			x := w.wait(w.end(), a, feed.Until{})
			w.log.write(id)
			answer := x.brings(id)
			if again, err := a.Answer(x.part); err != nil || again != answer {
				t.Fatal("the same part has two answers")
			}
			if z := answer.Zipped(); z == nil || len(z) > 500 {
				t.Errorf("%d bytes are %d when zipped", len(answer.Body), len(z))
			}
			if got := w.status(); got.AnswerBytes > 16<<10 || got.AnswerBytes+got.WindowBytes > 64<<10 {
				t.Fatalf("%d bytes of answers, %d of the log", got.AnswerBytes, got.WindowBytes)
			}
		}
		_ = at
	})
}
