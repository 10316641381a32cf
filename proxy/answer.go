package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// errAborted wraps a failure that came after the answer had begun. All that can be done is
// to cut the connection, so that the client does not take a part for the whole.
var errAborted = errors.New("the answer broke off")

func aborted(err error) error { return fmt.Errorf("%w: %w", errAborted, err) }

// shapeHeaders are the headers of an answer that belong to Electric's protocol.
type shapeHeaders struct {
	handle   string
	offset   electric.Offset
	schema   *electric.Schema
	cursor   string
	upToDate bool
	snapshot bool
	hasData  bool
}

func (s shapeHeaders) write(h http.Header) {
	h.Set("Electric-Handle", s.handle)
	h.Set("Electric-Offset", s.offset.String())
	if s.schema != nil {
		h.Set("Electric-Schema", s.schema.Header)
	}
	if s.cursor != "" {
		h.Set("Electric-Cursor", s.cursor)
	}
	if s.snapshot {
		h.Set("Electric-Snapshot", "true")
		return
	}
	if s.upToDate {
		h.Set("Electric-Up-To-Date", "")
	}
	h.Set("Electric-Has-Data", strconv.FormatBool(s.hasData))
}

// acceptsGzip reports whether a client takes an answer as gzip has it (RFC 9110,
// section 12.5.3).
func acceptsGzip(h http.Header) bool {
	for _, line := range h.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q, weighted := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			value, err := strconv.ParseFloat(q, 64)
			return !weighted || err == nil && value > 0
		}
	}
	return false
}

const jsonType = "application/json; charset=utf-8"

// patience is how long a client may take to accept what was written to it before
// it is given up. It bounds a write, not an answer.
const patience = 60 * time.Second

// patientWriter gives each write its own deadline, so that neither a long stream
// is cut nor a client that stopped reading is kept.
type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
}

func newPatientWriter(w http.ResponseWriter) patientWriter {
	return patientWriter{w, http.NewResponseController(w)}
}

func (p patientWriter) Write(b []byte) (int, error) {
	// Not every writer has deadlines; one that has none needs none.
	_ = p.control.SetWriteDeadline(time.Now().Add(patience))
	return p.w.Write(b)
}

// arrayWriter writes a JSON array, element by element.
type arrayWriter struct {
	w     *bufio.Writer
	count int
	begun bool // something was sent
}

const (
	writeBuffer = 64 << 10

	// firstWrite is how much is gathered before something is sent for the first time, so
	// that the reader of a long answer can begin.
	firstWrite = 4 << 10
)

// beginArray sends status and headers, and opens the array.
func beginArray(w http.ResponseWriter, s shapeHeaders) *arrayWriter {
	s.write(w.Header())
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusOK)
	return newArrayWriter(borrowWriter(w))
}

func newArrayWriter(w *bufio.Writer) *arrayWriter {
	_ = w.WriteByte('[') // bufio keeps the first error for Flush
	return &arrayWriter{w: w}
}

// writers are buffers for answers. One that is not given back is no loss.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, writeBuffer) }}

func borrowWriter(w http.ResponseWriter) *bufio.Writer {
	b := writers.Get().(*bufio.Writer)
	b.Reset(newPatientWriter(w))
	return b
}

// finish sends what a borrowed buffer holds, and gives it back.
func finish(b *bufio.Writer) error {
	err := b.Flush()
	b.Reset(nil)
	writers.Put(b)
	return err
}

func (a *arrayWriter) add(element []byte) error {
	if a.count > 0 {
		_ = a.w.WriteByte(',')
	}
	a.count++
	_, err := a.w.Write(element)
	if err == nil && !a.begun && a.w.Buffered() > firstWrite {
		a.begun = true
		return a.w.Flush()
	}
	return err
}

// close closes the array, and leaves it to be sent.
func (a *arrayWriter) close() { _ = a.w.WriteByte(']') }

// end closes the array and sends what is still here.
func (a *arrayWriter) end() error {
	a.close()
	return finish(a.w)
}

// snapshotEnd is the control message that says which transactions a snapshot
// has seen. By it a client knows that its own write is among the rows.
func snapshotEnd(m *electric.Metadata) []byte {
	b := append([]byte(nil), `{"headers":{"control":"snapshot-end","xmin":`...)
	b = append(b, m.XMin...)
	b = append(b, `,"xmax":`...)
	b = append(b, m.XMax...)
	b = append(b, `,"xip_list":`...)
	b = append(b, m.XIPList...)
	return append(b, "}}"...)
}

const mustRefetchBody = `[{"headers":{"control":"must-refetch"}}]`

// writeMustRefetch makes the client begin anew (recording 11). The handle is
// one that it has never held.
func writeMustRefetch(w http.ResponseWriter, handle string) {
	w.Header().Set("Electric-Handle", handle)
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusConflict)
	_, _ = io.WriteString(w, mustRefetchBody)
}
