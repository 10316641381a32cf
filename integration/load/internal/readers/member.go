package readers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/lean"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// member is one client of a crowd. It reads as the official client does: from the
// beginning until it is up to date, and then live, with the handle, the offset and
// the cursor of each answer in the next request.
type member struct {
	crowd   *crowd
	n       int // in the crowd
	person  int
	visitor world.Visitor
	headers []string

	conn   *lean.Conn
	answer lean.Answer
	begun  bool // the answer names where to go on
	live   bool
	ready  bool
}

// pause is how long a client waits after an answer that was none. The official
// client waits at random, and longer.
const pause = 100 * time.Millisecond

// errRefused is an answer that asking again does not change.
var errRefused = errors.New("refused")

// run reads until ctx ends. It returns an error if it was refused.
func (m *member) run(ctx context.Context) error {
	defer m.hangUp()
	for ctx.Err() == nil {
		err := m.read(ctx)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errRefused):
			return err
		}
		m.crowd.tally.fail(err)
		m.hangUp()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

func (m *member) hangUp() {
	if m.conn != nil {
		_ = m.conn.Close() // it is left, whatever becomes of it
		m.conn = nil
	}
}

// read makes one request, and takes its answer.
func (m *member) read(ctx context.Context) (err error) {
	if m.live {
		m.crowd.asking.Add(1)
		defer m.crowd.asking.Add(-1)
	}
	asked := time.Now()
	if err := m.ask(ctx); err != nil {
		return err
	}
	switch s := m.answer.Status; {
	case s == http.StatusOK, s == http.StatusNoContent:
		m.take(asked)
		return nil
	case s == http.StatusConflict:
		m.crowd.tally.refetches.Add(1)
		m.begun, m.live = false, false
		return nil
	case s == http.StatusTooManyRequests, s >= http.StatusInternalServerError:
		return fmt.Errorf("status %d", s)
	default:
		return fmt.Errorf("%w with status %d: %.200s", errRefused, s, m.answer.Body)
	}
}

// ask makes a request, on a connection of the client's own or on a shared one.
func (m *member) ask(ctx context.Context) (err error) {
	d := m.crowd.door
	if shared := m.crowd.streams; shared != nil {
		return shared.Get(ctx, d.base, m.query(), m.headers, &m.answer)
	}
	if m.conn == nil {
		if m.conn, err = lean.Dial(ctx, d.base); err != nil {
			return err
		}
		m.conn.Keep = d.keep
	}
	if err := m.conn.Do(lean.Request(http.MethodGet, d.base, m.query(), "", m.headers...), &m.answer); err != nil {
		return err
	}
	if m.answer.Closing() {
		m.hangUp()
	}
	return nil
}

func (m *member) query() string {
	query := m.crowd.door.first
	if m.begun {
		query = "offset=" + m.answer.Offset + "&handle=" + url.QueryEscape(m.answer.Handle)
	}
	if m.live {
		query += "&live=true&cursor=" + m.answer.Cursor
	}
	return query
}

// take looks at an answer: who may see it, whether it was the one that is waited
// for, and whether it came for nothing.
func (m *member) take(asked time.Time) {
	c, body := m.crowd, m.answer.Body
	changes := world.Changes(body)
	if c.door.decides && changes > 0 {
		if n := m.visitor.Foreign(body); n > 0 {
			c.tally.wrong("%s received %d rows of others", world.Person(m.person), n)
		}
	}
	if !m.live {
		m.catchUp()
		return
	}
	switch {
	case c.arrived(m, body):
	case changes > 0:
		c.tally.unexpected.Add(1)
	case m.answer.At.Sub(asked) < early:
		c.tally.woken.Add(1)
	}
}

// early is when an answer without a change is no timeout's: Electric's is 20 s, and
// shapegate shortens its own by up to a quarter.
const early = 14 * time.Second

// catchUp goes on live once the first read is complete.
func (m *member) catchUp() {
	c := m.crowd
	if !m.begun && c.door.decides {
		if n, may := world.Titles(m.answer.Body), c.mayAtFirst(m.person); n != may {
			c.tally.wrong("%s received %d rows at first, and may see %d", world.Person(m.person), n, may)
		}
	}
	m.begun, m.live = true, m.answer.UpToDate
	if m.live && !m.ready {
		m.ready = true
		c.ready <- struct{}{}
	}
}
