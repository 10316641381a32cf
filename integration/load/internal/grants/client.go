package grants

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// client reads the log of one person, as @electric-sql/client does: from the
// beginning until it is up to date, and then live, with the handle, the offset
// and the cursor of each answer in the next request. A must-refetch makes it
// begin anew.
type client struct {
	url     string
	token   string
	events  bool
	http    *http.Client
	replica *replica

	position               // of the next request
	ready    chan struct{} // closed when it is up to date for the first time
	trouble  trouble
}

// position is where in a log a client goes on.
type position struct {
	handle, offset, cursor string
	live                   bool
}

// trouble is what went wrong for a client, and may be read while it runs.
type trouble struct {
	refetches, failures atomic.Int64
	last                atomic.Pointer[error] // of the failures
}

func newClient(shape, token string, events bool, h *http.Client, granted []string) *client {
	return &client{
		url: shape, token: token, events: events, http: h,
		replica: newReplica(granted), position: position{offset: "-1"}, ready: make(chan struct{}),
	}
}

// Pauses after an answer that was none. The official client waits at random, and
// longer.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// run reads until ctx ends. It returns an error if it was refused.
func (c *client) run(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		err := c.read(ctx)
		var refused *refusedError
		switch {
		case err == nil:
			pause = firstPause
			continue
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &refused):
			return err
		}
		c.trouble.failures.Add(1)
		c.trouble.last.Store(&err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, longestPause)
	}
	return nil
}

// refusedError is an answer that asking again does not change.
type refusedError struct{ status int }

func (e *refusedError) Error() string { return fmt.Sprintf("refused with status %d", e.status) }

// read makes one request, and takes its answer.
func (c *client) read(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.next(), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch s := resp.StatusCode; {
	case s == http.StatusOK, s == http.StatusNoContent:
		return c.take(resp)
	case s == http.StatusConflict:
		c.refetch(resp.Header.Get("Electric-Handle"))
		return drain(resp.Body)
	case s == http.StatusTooManyRequests, s >= http.StatusInternalServerError:
		return errors.Join(fmt.Errorf("status %d", s), drain(resp.Body))
	default:
		return &refusedError{s}
	}
}

// next is the URL of the next request.
func (c *client) next() string {
	q := url.Values{"offset": {c.offset}}
	if c.handle != "" {
		q.Set("handle", c.handle)
	}
	if c.live {
		q.Set("live", "true")
		q.Set("cursor", c.cursor)
		if c.events {
			q.Set("live_sse", "true")
		}
	}
	return c.url + "?" + q.Encode()
}

// take takes an answer with messages: its headers first, as the official client
// does, and then its body.
func (c *client) take(resp *http.Response) error {
	h := resp.Header
	adopt(&c.handle, h, "Electric-Handle")
	adopt(&c.offset, h, "Electric-Offset")
	adopt(&c.cursor, h, "Electric-Cursor")
	if c.events && c.live {
		return c.takeEvents(resp.Body)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	messages, err := parseMessages(body)
	if err != nil {
		return err
	}
	if err := c.replica.receive(messages...); err != nil {
		return err
	}
	if _, ok := h["Electric-Up-To-Date"]; ok && !c.live {
		c.live = true
		select {
		case <-c.ready:
		default:
			close(c.ready)
		}
	}
	return nil
}

func adopt(to *string, h http.Header, name string) {
	if v := h.Get(name); v != "" {
		*to = v
	}
}

// takeEvents takes messages as they come. After an up-to-date the client goes on
// from the LSN in it, whatever the headers said.
func (c *client) takeEvents(body io.Reader) error {
	return readEvents(body, func(data []byte) error {
		m, err := parseMessage(data)
		if err != nil {
			return err
		}
		if lsn, err := strconv.ParseUint(m.Headers.LSN, 10, 64); m.Headers.Control == upToDate && err == nil {
			c.offset = strconv.FormatUint(lsn, 10) + "_0"
		}
		return c.replica.receive(m)
	})
}

// refetch begins anew, with the handle that the answer named.
func (c *client) refetch(handle string) {
	c.trouble.refetches.Add(1)
	c.position = position{handle: handle, offset: "-1"}
	c.replica.clear()
}

func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20))
	return err
}
