package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/integration/load/internal/lean"
)

// catchup measures how many reads a second are answered that do not wait.
type catchup struct {
	options
	concurrency int
	during      time.Duration
	lag         int
}

func (v *catchup) use() (name, short string) {
	return "catchup", "Measure how many reads of a log are answered a second, against Electric without shapegate"
}

func (v *catchup) bind(flags *pflag.FlagSet) {
	v.options.bind(flags)
	flags.IntVar(&v.concurrency, "concurrency", 16, "clients that ask at once, each again as soon as it has its answer")
	flags.DurationVar(&v.during, "for", 5*time.Second, "how long to ask, in each place and for each kind of read")
	flags.IntVar(&v.lag, "lag", 10, "messages that a client lags behind, whose reads are measured too")
}

func (v *catchup) complete(getenv func(string) string) error {
	if v.during <= 0 {
		return errors.New("--for must be positive")
	}
	return errors.Join(v.options.complete(getenv), atLeast(1, sizes{"concurrency": v.concurrency, "lag": v.lag}))
}

func (v *catchup) measure(ctx context.Context, log io.Writer) (_ *report, err error) {
	s, err := openSite(ctx, &v.options, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &report{title: fmt.Sprintf("catchup: reads a second of %d clients that do not wait; %d people, %d rows for each", v.concurrency, v.people, 1+v.own)}
	gate, err := v.readers(ctx, s, s.gate.shape, fromStart, true)
	if err != nil {
		return nil, err
	}
	defer hangUp(gate)
	var direct []*reader
	if s.electric != nil {
		if direct, err = v.readers(ctx, s, s.electric.direct(s.electric.base), fromNow, false); err != nil {
			return nil, err
		}
		defer hangUp(direct)
	}
	if err := v.both(ctx, "caught up", gate, direct, r); err != nil {
		return r, err
	}
	for range v.lag {
		if _, err := s.stores.rows.Exec(ctx, changeOf(everybody, nextMark())); err != nil {
			return nil, err
		}
	}
	for _, reader := range append(gate, direct...) {
		reader.changes = v.lag
		if err := reader.await(ctx); err != nil {
			return nil, err
		}
	}
	return r, v.both(ctx, fmt.Sprintf("%d messages behind", v.lag), gate, direct, r)
}

func hangUp(readers []*reader) {
	for _, r := range readers {
		_ = r.conn.Close() // it is left, whatever becomes of it
	}
}

// readers connects clients that have read to the end of the log.
func (v *catchup) readers(ctx context.Context, s *site, base *url.URL, first string, decides bool) ([]*reader, error) {
	var all []*reader
	for n := range v.concurrency {
		person := n % v.people
		headers, err := s.people.headersOf(person)
		if err != nil {
			return all, err
		}
		r, err := newReader(ctx, base, person, decides)
		if err != nil {
			return all, err
		}
		all = append(all, r)
		r.request = lean.Request("GET", base, first, "", headers...)
		if decides {
			r.changes = 1 + v.own
		}
		if err := r.read(); err != nil {
			return all, err
		}
		// The handle of a first read names its snapshot. The client has it for one request.
		r.goOn(base, headers)
		if err := r.read(); err != nil {
			return all, err
		}
		r.goOn(base, headers)
	}
	return all, nil
}

// turns is how often each side is measured, in turn, so that both meet the same
// machine.
const turns = 5

// both measures shapegate and Electric.
func (v *catchup) both(ctx context.Context, name string, gate, direct []*reader, r *report) error {
	var with, without int64
	for range turns {
		n, err := v.ask(ctx, gate)
		if with += n; err != nil {
			return v.judge(err, r)
		}
		n, err = v.ask(ctx, direct)
		if without += n; err != nil {
			return fmt.Errorf("at Electric: %w", err)
		}
	}
	rate := func(n int64) string { return fmt.Sprintf("%.0f/s", float64(n)/v.during.Seconds()) }
	f := figure{name: name, got: rate(with)}
	if direct != nil {
		f.base, f.ratio = "Electric "+rate(without), ratio(float64(with), float64(without))
		f.aim, f.missed = "> 1", f.ratio <= 1
	}
	r.add(f)
	return nil
}

// judge takes an answer that must not be for a finding, and not for a failure.
func (v *catchup) judge(err error, r *report) error {
	var wrong *wrongError
	if errors.As(err, &wrong) {
		r.wrong("%s", wrong.text)
		return nil
	}
	return err
}

// ask has all readers ask for one turn, and returns how many answers they had.
func (v *catchup) ask(ctx context.Context, readers []*reader) (int64, error) {
	if len(readers) == 0 {
		return 0, nil
	}
	var answers atomic.Int64
	until := time.Now().Add(v.during / turns)
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range readers {
		group.Go(func() error {
			for ctx.Err() == nil && time.Now().Before(until) {
				if err := r.read(); err != nil {
					return err
				}
				answers.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return answers.Load(), err
}
