package electrictest

import (
	"errors"
	"io"
	"net/http"
)

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

// fail does what an interceptor's error says. It returns the writer to go on with, or nil
// if the request was answered.
func fail(w http.ResponseWriter, err error) http.ResponseWriter {
	var fault *Fault
	switch {
	case err == nil:
		return w
	case !errors.As(err, &fault), fault.Status == 0 && fault.CutAfter == 0:
		panic(http.ErrAbortHandler)
	case fault.Status == 0:
		return &cutWriter{w, fault.CutAfter}
	}
	for name, values := range fault.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(fault.Status)
	_, _ = io.WriteString(w, fault.Body)
	return nil
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
