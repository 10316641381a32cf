package electrictest

import (
	"net/http"
	"sync"
	"time"
)

// Options configures a Server. The zero value is Electric's defaults, without a
// secret.
type Options struct {
	// Secret is what the query parameter secret must be; empty asks for none.
	Secret string

	// LongPollTimeout is how long a live request waits for a change: 20 s by
	// default. A request that is ahead of its log waits for half of it.
	LongPollTimeout time.Duration

	// SSETimeout is how long an event stream stays open: 60 s by default.
	SSETimeout time.Duration

	// KeepAlive is how long an event stream may be silent before it gets a
	// comment: 21 s by default.
	KeepAlive time.Duration

	// ChunkBytes is the size at which a chunk of a log is closed: 10 MiB by
	// default.
	ChunkBytes int
}

// Server is an Electric over tables in memory, and the database that it follows. It is
// an http.Handler, and safe for concurrent use.
//
// Its parts do what it can: the Database holds the tables, the Front answers requests,
// and Requests knows what was asked.
type Server struct {
	*Database
	*Front
	*Requests

	service   *service
	closeOnce sync.Once
}

var _ http.Handler = (*Server)(nil)

// New returns a server without tables.
func New(opts Options) *Server {
	if opts.LongPollTimeout == 0 {
		opts.LongPollTimeout = 20 * time.Second
	}
	if opts.SSETimeout == 0 {
		opts.SSETimeout = 60 * time.Second
	}
	if opts.KeepAlive == 0 {
		opts.KeepAlive = 21 * time.Second
	}
	if opts.ChunkBytes == 0 {
		opts.ChunkBytes = 10 << 20
	}
	s := &Server{Database: newDatabase(opts.ChunkBytes), Requests: newRequests()}
	s.service = &service{opts: opts, db: s.Database, requests: s.Requests, closing: make(chan struct{})}
	s.Front = s.NewFront()
	return s
}

// NewFront returns another front of the server, which does not lag.
func (s *Server) NewFront() *Front {
	s.Database.mu.Lock()
	defer s.Database.mu.Unlock()
	return &Front{service: s.service, lag: s.Database.shapes.newLag()}
}

// Intercept calls f for each request to /v1/shape before it is served, with the
// body of a POST. f may block, to delay the answer. The error it returns, if it
// is a *Fault, says how the request fails; any other closes the connection. nil
// serves the request. Intercept(nil) ends it.
func (s *Server) Intercept(f func(r *http.Request, body []byte) error) {
	if f == nil {
		s.service.intercept.Store(nil)
		return
	}
	s.service.intercept.Store(&f)
}

// Close ends the requests that wait: long-polls with a 503, event streams as at
// their timeout. Requests that come later are still answered, but none waits.
func (s *Server) Close() {
	s.closeOnce.Do(func() { close(s.service.closing) })
}
