package proxy

import (
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// client is what the client of a request holds, by the handle and the offset that it came
// with. An answer changes the cursor, and names it with a handle again.
type client struct {
	key    *cursor.Key
	from   *logRequest
	scope  cursor.Scope
	cursor cursor.Cursor
	handle string // of the cursor; empty: it is not sealed yet
}

// open reads the handle that the client came with. The error is errStaleHandle.
func (c *client) open() error {
	opened, err := c.key.Open(c.from.handle, c.scope)
	if err != nil {
		return errStaleHandle
	}
	c.cursor, c.handle = opened, c.from.handle
	c.become(opened.Acknowledge(c.from.offset))
	return nil
}

// become notes that the client's cursor is another one, if it is.
func (c *client) become(next cursor.Cursor, changed bool) {
	if changed {
		c.cursor, c.handle = next, ""
	}
}

// sealed returns the handle that an answer carries: the one that the client came with, if
// nothing changed.
func (c *client) sealed() string {
	if c.handle == "" {
		c.handle = c.key.Seal(&c.cursor, c.scope)
	}
	return c.handle
}

// another returns the handle of an answer that says must-refetch. It is new, and good for
// nothing: Electric has no log of its name.
func (c *client) another() string {
	none := cursor.Now("0", electric.Start, authz.Decision{At: authz.Moment{Time: time.Now()}})
	return c.key.Seal(&none, c.scope)
}

// place is where the client's log goes on.
func (c *client) place() feed.Place {
	return feed.Place{Handle: c.cursor.Upstream, Offset: c.cursor.Resume(c.from.offset)}
}

// begun notes the cursor of a client that begins at a place, with a snapshot's rows. Where so
// many transactions are open that the handle would be too long to be read again, there is
// none yet.
func (c *client) begun(at feed.Place, g *guard, fence electric.Fence) error {
	c.become(cursor.FirstRead(at.Handle, at.Offset, g.named, fence), true)
	if len(c.sealed()) > cursor.MaxHandle {
		return &problem{kind: unavailable, message: "the database has too many open transactions", retryAfter: spread(retryHeld)}
	}
	return g.leaveOut(c)
}

// onward prepares the cursor for an answer without the resync to a decision that the client
// needs. The error is errStaleHandle.
func (c *client) onward(d authz.Decision) error {
	next, ok := c.cursor.Onward(d)
	if !ok {
		return errStaleHandle
	}
	c.become(next, true)
	return nil
}

// tokenAge is how old the revisions in a handle may become. SpiceDB forgets revisions,
// after a day by default.
const tokenAge = time.Hour

// confirmed has the handle name newer revisions of the grants that the client was served,
// if those that it names are old.
func (c *client) confirmed(d authz.Decision) {
	if d.At.Time.Sub(c.cursor.At.Time) > tokenAge && d.Fingerprint == c.cursor.Served.Fingerprint && len(c.cursor.Pending) == 0 {
		c.become(c.cursor.Confirmed(d), true)
	}
}

// passed notes that an answer brings the client to the end of a part of the log.
func (c *client) passed(p *feed.Part, d authz.Decision) {
	c.confirmed(d)
	steps := len(c.cursor.Steps)
	if !p.UpToDate || steps == 0 {
		return
	}
	now := time.Now()
	if p.Away {
		now = time.Time{}
	}
	next := c.cursor.Pass(p.End.Offset, p.LastSeen, now)
	c.become(next, len(next.Steps) < steps)
}

// newestStep returns a transaction that no late message comes after. It returns false if
// no message can be late.
func (c *client) newestStep() (newest electric.TxID, any bool) {
	for i := range c.cursor.Steps {
		if n := c.cursor.Steps[i].Fence.Newest(); !any || newest.Before(n) {
			newest, any = n, true
		}
	}
	return newest, any
}

// mayBeLate reports whether a part of the log may have messages that are late.
func (c *client) mayBeLate(p *feed.Part) bool {
	newest, any := c.newestStep()
	return any && (!p.InMemory() || p.TellsOf(newest))
}
