package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	// maxBody is the largest body that a client may send, in bytes: as Electric's.
	maxBody = 8_000_000

	// drainBodyTime is how long a body may still take once the server drains.
	drainBodyTime = time.Second
)

var errBodyAtDrain = errors.New("the server is draining")

// bodyKey is where a request's body is kept in its context.
const bodyKey = "body"

// body is the body of a request on its way from the client. It is not waited for
// before the credentials hold, and then not for long: each read has a deadline,
// and so has what the server itself reads after an answer, to use the connection
// again.
type body struct {
	c       *gin.Context
	control *http.ResponseController
	read    bool // to its end
	failed  bool // and was read in vain
}

// boundBody sees to it that a request whose body was not read does not make the
// server wait for it.
func boundBody(c *gin.Context) {
	if c.Request.ContentLength == 0 {
		return
	}
	b := &body{c: c, control: http.NewResponseController(c.Writer)}
	c.Set(bodyKey, b)
	// The server reads what is left when the answer begins, and when it ends.
	defer b.abandon()
	c.Next()
}

// bodies says how long a client may take to send a body.
type bodies struct {
	time     time.Duration
	draining context.Context //nolint:containedctx // ends with Handler.Drain
}

// read reads the body of a request, which may be empty. Only a POST may have one that is
// not. Call it when the credentials hold.
func (r bodies) read(c *gin.Context) ([]byte, error) {
	b := bodyOf(c)
	if b == nil {
		return nil, nil
	}
	all, err := b.readAll(r.draining, r.time)
	b.failed = err != nil
	if err == nil && len(all) > 0 && c.Request.Method != http.MethodPost {
		err = invalid("body", "only a POST may have a body")
	}
	return all, err
}

func bodyOf(c *gin.Context) *body {
	v, _ := c.Get(bodyKey)
	b, _ := v.(*body)
	return b
}

// readAll reads the body for at most d, and for drainBodyTime once draining is
// done.
func (b *body) readAll(draining context.Context, d time.Duration) ([]byte, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(d))
	hurried := make(chan struct{})
	stop := context.AfterFunc(draining, func() {
		defer close(hurried)
		_ = b.control.SetReadDeadline(time.Now().Add(min(d, drainBodyTime)))
	})
	all, err := io.ReadAll(http.MaxBytesReader(b.c.Writer, b.c.Request.Body, maxBody))
	if !stop() {
		<-hurried // or its deadline would hit what comes after the body
	}
	var tooBig *http.MaxBytesError
	switch {
	case err == nil:
		b.read = true
		_ = b.control.SetReadDeadline(time.Time{})
		return all, nil
	case errors.As(err, &tooBig):
		if b.c.Request.ProtoMajor == 1 {
			// The server closes the connection, and says so only where much of the body
			// is left: the client's next request would be lost on it.
			b.c.Header("Connection", "close")
		}
		return nil, err
	case errors.Is(err, os.ErrDeadlineExceeded) && draining.Err() != nil:
		return nil, &problem{kind: unavailable, message: "shutting down", cause: errBodyAtDrain}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, invalid("body", "did not arrive in time")
	default:
		// Whatever else fails here, the client sent it, or sent no more.
		return nil, &problem{kind: badRequest, field: "body", message: "the body is not well-formed, or broke off", cause: err}
	}
}

// isFailed reports whether the body was read in vain. To the server, the client of an
// HTTP/1 request is then gone, and its context ends. It can be answered all the same.
func (b *body) isFailed() bool { return b != nil && b.failed }

// abandon gives up a body that was not read to its end. An HTTP/1 server would
// read on after the answer, at whatever pace the client sends.
func (b *body) abandon() {
	if b == nil || b.read {
		return
	}
	_ = b.control.SetReadDeadline(time.Now())
}
