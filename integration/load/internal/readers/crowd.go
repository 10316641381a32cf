package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/lean"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// crowd is clients that wait at one door.
type crowd struct {
	o       *options
	log     io.Writer
	door    *door
	streams *lean.Streams // that all clients share; nil: each has a connection
	members []*member

	tally  tally
	ready  chan struct{} // receives once of each client, when it has caught up
	asking atomic.Int64  // clients whose live request is under way
	others int           // requests that waited at the door before there were clients
	round  atomic.Pointer[round]
	running
}

// firstReads is how many clients read from the beginning at once.
const firstReads = 16

// openCrowd connects clients, of person after person of those from first to last,
// and returns when all of them wait.
func (s *site) openCrowd(ctx context.Context, d *door, clients, first, last int) (_ *crowd, err error) {
	c := &crowd{o: s.o, log: s.log, door: d, ready: make(chan struct{}, clients), running: newRunning(ctx)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.o.http2 {
		c.streams = lean.NewStreams()
	}
	if err := c.admit(&s.people, clients, first, last); err != nil {
		return nil, err
	}
	if d.waiting != nil {
		if c.others, _, err = d.waiting(ctx); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	if err := c.start(); err != nil {
		return nil, err
	}
	if err := c.settle(); err != nil {
		return nil, err
	}
	if clients > 1 {
		s.say("%s: %d clients wait, %v after the first connected", d.name, clients, time.Since(began).Round(time.Millisecond))
	}
	return c, nil
}

// admit makes the clients.
func (c *crowd) admit(p *people, clients, first, last int) error {
	headers := make(map[int][]string)
	for n := range clients {
		person := first + n%(last-first)
		if headers[person] == nil {
			h, err := p.headersOf(person)
			if err != nil {
				return err
			}
			headers[person] = h
		}
		c.members = append(c.members, &member{
			crowd: c, n: n, person: person, visitor: world.NewVisitor(person), headers: headers[person],
		})
	}
	return nil
}

// start starts the clients at a bounded rate, and returns when all have caught up.
func (c *crowd) start() error {
	tick := time.NewTicker(time.Second / time.Duration(c.o.rate))
	defer tick.Stop()
	for i, m := range c.members {
		if i >= firstReads {
			if err := c.await(c.ready); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return c.cause()
		}
		c.group.Go(func() error { return m.run(c.ctx) })
	}
	for range min(firstReads, len(c.members)) {
		if err := c.await(c.ready); err != nil {
			return err
		}
	}
	return nil
}

// mayAtFirst is how many rows of the world a person may see.
func (c *crowd) mayAtFirst(person int) int {
	if person >= c.o.people {
		return 0 // a person with grants on missing rows alone
	}
	return 1 + c.o.own
}

// Looks at how many requests wait.
const (
	lookEvery = 20 * time.Millisecond
	lookBlind = 500 * time.Millisecond // where the metrics are not known
	lookLong  = 45 * time.Second       // longer than two long-polls
)

// settle returns when every client waits: as many requests are held as there are
// clients, and as many at Electric as a moment ago.
func (c *crowd) settle() error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	began, steady := time.Now(), 0
	seen, want := -1, c.others+len(c.members)
	for {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return c.cause()
		}
		if time.Since(began) > max(lookLong, c.o.patience) {
			fmt.Fprintf(c.log, "%s: at no moment did all %d clients wait\n", c.door.name, len(c.members))
			return nil
		}
		if c.door.waiting == nil {
			if int(c.asking.Load()) == len(c.members) && time.Since(began) > lookBlind {
				return nil
			}
			continue
		}
		here, there, err := c.door.waiting(c.ctx)
		if err != nil {
			return err
		}
		if steady++; here != want || there != seen {
			steady = 0
		}
		seen = there
		if steady == 2 {
			return nil
		}
	}
}

// close ends the clients, and closes their connections.
func (c *crowd) close() error {
	err := c.running.close()
	if c.streams != nil {
		c.streams.Close()
	}
	return err
}

// leave closes the crowd, waits until the door has noticed, and reports what there
// is to say of its clients.
func (c *crowd) leave(ctx context.Context, r *report) error {
	err := errors.Join(c.close(), c.left(ctx))
	c.tally.into(r, c.door, len(c.members))
	return err
}

// left returns when the door has noticed that its clients are gone.
func (c *crowd) left(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for began := time.Now(); c.door.waiting != nil && time.Since(began) < lookLong; {
		here, _, err := c.door.waiting(ctx)
		if err != nil || here <= c.others {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
