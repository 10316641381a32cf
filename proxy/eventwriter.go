package proxy

import (
	"bufio"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/proxy/feed"
)

// streamBuffer is what an open stream gathers before it writes. It is there as long as the
// stream is, which is most often silent.
const streamBuffer = 4 << 10

// eventWriter writes messages as server-sent events.
type eventWriter struct {
	w       *bufio.Writer
	control *http.ResponseController
	last    time.Time // when something was last sent
	pending bool      // messages were written, and no up-to-date message behind them
}

// beginEvents sends status and headers.
func beginEvents(w http.ResponseWriter, head shapeHeaders) eventWriter {
	head.write(w.Header())
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	_ = control.Flush()
	return eventWriter{w: bufio.NewWriterSize(newPatientWriter(w), streamBuffer), control: control, last: time.Now()}
}

// message writes a message, and leaves it to be sent.
func (e *eventWriter) message(m []byte) error {
	e.pending = true
	_, _ = e.w.WriteString("data: ")
	_, _ = e.w.Write(m)
	_, err := e.w.WriteString("\n\n") // bufio keeps the first error
	return err
}

// upToDate ends a batch and sends it: the client has everything up to an LSN.
func (e *eventWriter) upToDate(lsn uint64) error {
	if err := e.message(feed.UpToDateMessage(lsn)); err != nil {
		return err
	}
	e.pending = false
	return e.flush()
}

func (e *eventWriter) keepAlive() error {
	_, _ = e.w.WriteString(": keep-alive\n\n")
	return e.flush()
}

func (e *eventWriter) flush() error {
	e.last = time.Now()
	if err := e.w.Flush(); err != nil {
		return err
	}
	return e.control.Flush()
}
