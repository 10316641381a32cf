package electrictest

import (
	"context"
	"net/http"
	"net/url"
	"sync"
)

// Stats counts the requests to /v1/shape since New, by what they asked for.
type Stats struct {
	Total  int // all, refused ones included
	Log    int // reads of a log that do not wait
	Live   int // long-polls
	SSE    int // event streams
	Subset int // subset snapshots

	Held int // long-polls and event streams that wait at this moment
}

// Request is a request to /v1/shape as it arrived.
type Request struct {
	Method string
	Query  url.Values
	Header http.Header
	Body   []byte // of a POST
}

// Fault makes the server fail a request; see Server.Intercept. The zero Fault
// closes the connection without an answer.
type Fault struct {
	Status int         // answer with this status, Header and Body
	Header http.Header // of that answer
	Body   string

	// CutAfter, with Status 0, serves the request but closes the connection after
	// this many bytes of the body.
	CutAfter int
}

// Error implements error.
func (f *Fault) Error() string { return "electrictest: injected fault" }

// Intercept calls f for each request to /v1/shape before it is served, with the
// body of a POST. f may block, to delay the answer. The error it returns, if it
// is a *Fault, says how the request fails; any other closes the connection. nil
// serves the request. Intercept(nil) ends it.
func (s *Server) Intercept(f func(r *http.Request, body []byte) error) {
	if f == nil {
		s.intercept.Store(nil)
		return
	}
	s.intercept.Store(&f)
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.inspector.mu.Lock()
	defer s.inspector.mu.Unlock()
	return s.inspector.stats
}

// LastRequest returns the latest request to /v1/shape; false if there was none.
func (s *Server) LastRequest() (Request, bool) {
	s.inspector.mu.Lock()
	defer s.inspector.mu.Unlock()
	return s.inspector.last, s.inspector.stats.Total > 0
}

// WaitHeld returns once exactly n requests wait, so that a test can write while
// they do. It returns ctx's error if that does not happen.
func (s *Server) WaitHeld(ctx context.Context, n int) error {
	for {
		s.inspector.mu.Lock()
		held, changed := s.inspector.stats.Held, s.inspector.changed
		s.inspector.mu.Unlock()
		if held == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// inspector keeps what tests ask about.
type inspector struct {
	mu      sync.Mutex
	stats   Stats
	last    Request
	changed chan struct{} // closed, and replaced, when Held changes
}

func (i *inspector) init() { i.changed = make(chan struct{}) }

func (i *inspector) arrived(r *http.Request, body []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stats.Total++
	i.last = Request{r.Method, r.URL.Query(), r.Header, body}
}

func (i *inspector) count(p *params) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case p.subset != nil:
		i.stats.Subset++
	case p.sse:
		i.stats.SSE++
	case p.live:
		i.stats.Live++
	default:
		i.stats.Log++
	}
}

func (i *inspector) hold(by int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stats.Held += by
	close(i.changed)
	i.changed = make(chan struct{})
}

// cutWriter closes the connection once a number of bytes was written.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(b []byte) (int, error) {
	if len(b) < w.left {
		w.left -= len(b)
		return w.ResponseWriter.Write(b)
	}
	_, _ = w.ResponseWriter.Write(b[:w.left])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
