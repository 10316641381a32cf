package electrictest

import "net/http"

// batch is how much of a body is gathered before it is sent on.
const batch = 64 << 10

// stream writes a body in batches, so that its memory does not grow with it. It
// is always sent chunked, however short.
type stream struct {
	w    http.ResponseWriter
	buf  []byte
	err  error // of the first write that failed: the client has gone
	head bool
}

func newStream(w http.ResponseWriter, r *http.Request, contentType string) *stream {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Vary", "accept-encoding")
	w.WriteHeader(http.StatusOK)
	return &stream{w: w, buf: make([]byte, 0, batch/16), head: r.Method == http.MethodHead}
}

// text adds a text to the body.
func (s *stream) text(t string) { s.buf = append(s.buf, t...) }

// full sends what was gathered once it is a batch, and reports whether the client
// still listens.
func (s *stream) full() bool {
	if len(s.buf) >= batch {
		s.flush()
	}
	return s.err == nil
}

// flush sends what was gathered.
func (s *stream) flush() {
	if s.err == nil && !s.head {
		if _, s.err = s.w.Write(s.buf); s.err == nil {
			s.err = http.NewResponseController(s.w).Flush()
		}
	}
	s.buf = s.buf[:0]
}
