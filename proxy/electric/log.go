package electric

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// LogRequest asks for a part of a log.
type LogRequest struct {
	Handle string // empty with BeforeAll and Now
	Offset Offset
	Live   bool   // wait until there is something after Offset, or Electric's timeout
	Cursor string // the cursor of the last live answer, or empty
}

// LogResponse is an answer of Electric: its headers, and a reader of its messages.
type LogResponse struct {
	Handle   string
	Offset   Offset // where to read on from, once all messages are read
	Schema   *Schema
	Cursor   string
	UpToDate bool // the messages reach the end of the log

	*MessageReader
}

// query returns the query of a request for a part of a log, but for the secret.
func (r LogRequest) query(log *LogSpec) url.Values {
	q := log.query()
	q.Set("offset", r.Offset.String())
	if r.Handle != "" {
		q.Set("handle", r.Handle)
	}
	if r.Live {
		q.Set("live", "true")
		if r.Cursor != "" {
			q.Set("cursor", r.Cursor)
		}
	}
	return q
}

// URI returns the path and the query of a request for a part of a log, as they stand in its
// request line, but for the secret: for a gateway that sends the request itself.
func (r LogRequest) URI(log *LogSpec) string { return path + "?" + r.query(log).Encode() }

// ReadLog reads the log of feed after an offset. The caller must Close the response.
// Errors are those of ReadSubset, and ErrMustRefetch.
func (c *Client) ReadLog(ctx context.Context, feed *LogSpec, r LogRequest) (*LogResponse, error) {
	q := r.query(feed)
	ctx, guard := guardHeaders(ctx, !r.Live)
	resp, err := c.do(ctx, http.MethodGet, q, nil)
	if err != nil {
		guard.stop()
		return nil, err
	}
	guard.answered()
	out, err := logResponse(resp, r.Live)
	if err != nil {
		drain(resp.Body)
		guard.stop()
		return nil, err
	}
	out.MessageReader = newMessageReader(&guardedBody{resp.Body, guard}, feed.keySpelling())
	return out, nil
}

func logResponse(resp *http.Response, live bool) (*LogResponse, error) {
	out := &LogResponse{
		Handle:   resp.Header.Get("Electric-Handle"),
		Cursor:   resp.Header.Get("Electric-Cursor"),
		UpToDate: resp.Header.Values("Electric-Up-To-Date") != nil,
	}
	var err error
	if out.Offset, err = positionHeader(resp.Header); err != nil {
		return nil, err
	}
	if out.Handle == "" {
		return nil, protocolErrorf("no electric-handle")
	}
	if !live {
		if out.Schema, err = ParseSchema(resp.Header.Get("Electric-Schema")); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func positionHeader(h http.Header) (Offset, error) {
	o, err := ParseOffset(h.Get("Electric-Offset"))
	if err != nil || !o.IsPosition() {
		return Offset{}, protocolErrorf("electric-offset is not a position")
	}
	return o, nil
}

// errSlow is the cause of a request that was given up because its answer did not begin
// in time.
var errSlow = errors.New("no answer in time")

// headerGuard ends a request whose answer does not begin in time. It does not bound the
// time of the body. It owns a context; stop releases it.
type headerGuard struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func guardHeaders(ctx context.Context, bounded bool) (context.Context, *headerGuard) {
	ctx, cancel := context.WithCancelCause(ctx)
	g := &headerGuard{cancel: cancel}
	if bounded {
		g.timer = time.AfterFunc(headerTimeout, func() { cancel(&UnavailableError{Err: errSlow}) })
	}
	return ctx, g
}

func (g *headerGuard) answered() {
	if g.timer != nil {
		g.timer.Stop()
	}
}

func (g *headerGuard) stop() {
	g.answered()
	g.cancel(context.Canceled)
}

// guardedBody ends the request's context when the body is closed.
type guardedBody struct {
	io.ReadCloser
	guard *headerGuard
}

func (b *guardedBody) Close() error {
	defer b.guard.stop()
	return b.ReadCloser.Close()
}
