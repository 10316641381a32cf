package readers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/rows"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// round is one change, and when it was with each client of those who may see it.
type round struct {
	mark   []byte
	person int // who may see it; -1: everybody
	at     []atomic.Int64

	concerned int // clients
	left      atomic.Int64
	done      chan struct{} // closed when no reader is left
}

const everybody = -1

// marks numbers changes, for the whole process: what was sent at one door is never
// taken for what is sent at the next.
var marks atomic.Int64

// firstMark is in the rows as they are at the start, and as long as all marks.
const firstMark = "mark-start000"

func nextMark() string { return fmt.Sprintf("mark-%08d", marks.Add(1)) }

// arrived notes that a client has an answer, if it is with the change that is
// waited for.
func (c *crowd) arrived(m *member, body []byte) bool {
	r := c.round.Load()
	if r == nil || !bytes.Contains(body, r.mark) {
		return false
	}
	if !r.concerns(m) && c.door.decides {
		c.tally.wrong("%s received the change of a row of %s", world.Person(m.person), world.Person(r.person))
	}
	if r.at[m.n].CompareAndSwap(0, m.answer.At.UnixNano()) && r.concerns(m) {
		if r.left.Add(-1) == 0 {
			close(r.done)
		}
	}
	return true
}

// change changes a row of a person's, or of everybody's, and returns how long after
// the commit each client that may see it had it.
func (c *crowd) change(ctx context.Context, person int) ([]time.Duration, error) {
	return c.changeBy(ctx, person, func(mark string) string { return changeOf(person, mark) })
}

// changeBy is change by the SQL of a mark.
func (c *crowd) changeBy(ctx context.Context, person int, sql func(mark string) string) ([]time.Duration, error) {
	mark := nextMark()
	r := c.expect(person, mark)
	defer c.round.Store(nil)
	committed, err := c.door.rows.Exec(ctx, sql(mark))
	if err != nil {
		return nil, err
	}
	return c.took(r, committed)
}

// expect has the clients look for a change that has a mark.
func (c *crowd) expect(person int, mark string) *round {
	r := &round{person: person, mark: []byte(mark), at: make([]atomic.Int64, len(c.members)), done: make(chan struct{})}
	for _, m := range c.members {
		if r.concerns(m) {
			r.concerned++
		}
	}
	r.left.Store(int64(r.concerned))
	c.round.Store(r)
	return r
}

func (r *round) concerns(m *member) bool { return r.person == everybody || r.person == m.person }

// took returns how long after a time each client that may see the change had it, once all
// of them have.
func (c *crowd) took(r *round, since time.Time) ([]time.Duration, error) {
	patience := time.NewTimer(c.o.patience)
	defer patience.Stop()
	select {
	case <-r.done:
	case <-patience.C:
		c.tally.wrong("a change did not reach %d of %d clients in %v", r.left.Load(), r.concerned, c.o.patience)
	case <-c.ctx.Done():
		return nil, c.cause()
	}
	var took []time.Duration
	for _, m := range c.members {
		if at := r.at[m.n].Load(); at != 0 && r.concerns(m) {
			took = append(took, time.Unix(0, at).Sub(since))
		}
	}
	return took, nil
}

// changeOf is the SQL of a change.
func changeOf(person int, mark string) string {
	if person == everybody {
		return world.ChangeTitle(common(), world.TitleForAll(mark))
	}
	return world.ChangeTitle(world.Document(world.Own, person, 0), world.TitleFor(person, mark))
}

// broadcast sends a change to the clients of the bare server, for which it takes
// its mark alone.
type broadcast struct{ rows.Posted }

// Exec implements rows.Rows.
func (b broadcast) Exec(ctx context.Context, sql string) (time.Time, error) {
	return b.Posted.Exec(ctx, markIn(sql))
}

func markIn(sql string) string {
	const prefix = "mark-"
	i := bytes.Index([]byte(sql), []byte(prefix))
	return sql[i : i+len(firstMark)]
}

// samples makes changes one after the other, each once all clients wait again.
func (c *crowd) samples(ctx context.Context, n int, person func() int) ([]time.Duration, error) {
	all, err := inTurn(ctx, n, 0, c.changing(person))
	return all[0], err
}

// turn is a change that is made again and again for a crowd. It returns how long it took.
type turn struct {
	crowd  *crowd
	change func(context.Context) ([]time.Duration, error)
}

// changing is changes of rows of persons.
func (c *crowd) changing(person func() int) turn {
	return turn{c, func(ctx context.Context) ([]time.Duration, error) { return c.change(ctx, person()) }}
}

// inTurn makes changes at several doors in turn, so that all meet the same machine,
// each once all clients of its door wait again, and after a pause. The first of each is not
// counted: it finds everything cold.
func inTurn(ctx context.Context, n int, pause time.Duration, turns ...turn) ([][]time.Duration, error) {
	all := make([][]time.Duration, len(turns))
	for i := range n + 1 {
		for j, t := range turns {
			took, err := t.change(ctx)
			if err != nil {
				return all, err
			}
			if i > 0 {
				all[j] = append(all[j], took...)
			}
			if err := errors.Join(t.crowd.settle(), rest(ctx, pause)); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// rest waits for some time, or until ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// toAll has a change be one that everybody may see.
func toAll() int { return everybody }
