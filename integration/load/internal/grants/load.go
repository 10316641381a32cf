package grants

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// load is the clients, and what they read from.
type load struct {
	o       *options
	d       *deployment
	clients []*client
	log     io.Writer
}

// measure does everything, and takes away again what it wrote.
func measure(ctx context.Context, o *options, log io.Writer) (_ *report, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("not done after %v", o.limit))
	defer cancel()
	d, err := deploy(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	l := &load{o: o, d: d, log: log}

	l.say("writing %d documents and %d relationships", len(o.documents()), len(o.relationships()))
	defer func() { err = errors.Join(err, d.clear(ctx, o)) }()
	if err := d.fill(ctx, o); err != nil {
		return nil, err
	}
	reading, stop := context.WithCancel(ctx)
	group, reading := errgroup.WithContext(reading)
	defer func() {
		stop()
		err = errors.Join(group.Wait(), err)
	}()
	if err := l.open(reading, group); err != nil {
		return nil, err
	}
	return l.report(reading)
}

func (l *load) say(format string, args ...any) {
	fmt.Fprintf(l.log, format+"\n", args...)
}

// firstReads is how many clients read from the beginning at once.
const firstReads = 16

// open starts the clients, and returns when all have caught up.
func (l *load) open(ctx context.Context, group *errgroup.Group) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, l.o.clients
	h := &http.Client{Transport: transport}

	began := time.Now()
	turns := make(chan struct{}, firstReads)
	var caughtUp sync.WaitGroup
	for n := range l.o.clients {
		t, err := world.Token(l.d.jwtSecret, n, l.o.limit)
		if err != nil {
			return err
		}
		c := newClient(l.d.shape, t, l.o.events, h, world.Documents(world.Own, n, l.o.own))
		l.clients = append(l.clients, c)
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		group.Go(func() error { return c.run(ctx) })
		caughtUp.Go(func() {
			select {
			case <-c.ready:
			case <-ctx.Done():
			}
			<-turns
		})
	}
	caughtUp.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.say("%d clients have caught up after %v", l.o.clients, time.Since(began).Round(time.Millisecond))
	return nil
}

// report measures every scenario, first one change after the other, then at the
// rate.
func (l *load) report(ctx context.Context) (*report, error) {
	r := &report{what: l.d.what, clients: l.o.clients, events: l.o.events}
	began := time.Now()
	before, err := l.d.counts(ctx)
	if err != nil {
		return nil, err
	}
	modes := []float64{0}
	if l.o.rate > 0 {
		modes = append(modes, l.o.rate)
	}
	for _, rate := range modes {
		for _, s := range (writer{l.d}).scenarios(l.o, modeName(rate)) {
			line, err := l.line(ctx, s, rate)
			if err != nil {
				return nil, err
			}
			r.lines = append(r.lines, line)
			l.say("%s, %s: done", line.scenario, line.mode)
		}
	}
	after, err := l.d.counts(ctx)
	if err != nil {
		return nil, err
	}
	r.took, r.counts = time.Since(began), after.Since(before)
	l.takeStock(r)
	return r, nil
}

func modeName(rate float64) string {
	if rate == 0 {
		return "in turn"
	}
	return fmt.Sprintf("%g/s", rate)
}

// takeStock adds up what the clients have seen.
func (l *load) takeStock(r *report) {
	for n, c := range l.clients {
		r.refetches += int(c.trouble.refetches.Load())
		if f := c.trouble.failures.Load(); f > 0 {
			r.failures += int(f)
			r.lastFailure = *c.trouble.last.Load()
		}
		r.leaks = append(r.leaks, c.replica.leaked(world.Person(n))...)
		if !slices.Equal(c.replica.ids(), c.replica.should()) {
			r.astray = append(r.astray, world.Person(n))
		}
	}
}
