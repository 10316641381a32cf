package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/rows"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// Bare serves as little as can be: it holds long-polls, and sends the same bytes to
// all on command. It is the practical limit for a server on net/http.
func Bare(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	p := &process{}
	defer func() { err = errors.Join(err, p.close()) }()
	b := &bare{changed: make(chan struct{})}
	front, err := p.serve(ctx, b)
	if err != nil {
		return err
	}
	p.hello.URL = front + world.ShapePath
	control := http.NewServeMux()
	control.HandleFunc("GET /held", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(b.held.Load()) })
	control.HandleFunc("POST /template", b.setTemplate)
	control.HandleFunc("POST /broadcast", b.broadcast)
	control.HandleFunc("GET /usage", serveUsage)
	if p.hello.Control, err = p.serve(ctx, control); err != nil {
		return err
	}
	return p.run(ctx, in, out)
}

// bare holds long-polls. An offset is the number of the last broadcast.
type bare struct {
	held atomic.Int64

	mu       sync.Mutex
	template child.Template
	n        int
	body     []byte
	changed  chan struct{} // closed, and replaced, at a broadcast
}

const (
	pollTime = 20 * time.Second // as Electric's
	upToDate = `[{"headers":{"control":"up-to-date","global_last_seen_lsn":"0"}}]`
)

// ServeHTTP implements http.Handler.
func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, changed := b.now()
	q := r.URL.Query()
	live, at := q.Get("live") != "", q.Get("offset")
	if live && at == offset(n) {
		b.held.Add(1)
		timer := time.NewTimer(pollTime)
		select {
		case <-changed:
		case <-timer.C:
		case <-r.Context().Done():
		}
		timer.Stop()
		b.held.Add(-1)
	}
	b.answer(w, live, at)
}

func (b *bare) now() (int, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n, b.changed
}

func offset(n int) string { return strconv.Itoa(n) + "_0" }

// answer sends the last broadcast to a live client that has not had it.
func (b *bare) answer(w http.ResponseWriter, live bool, at string) {
	b.mu.Lock()
	now, body, template := b.n, b.body, b.template
	b.mu.Unlock()
	if !live || at == offset(now) {
		body = []byte(upToDate)
	}
	h := w.Header()
	for name, value := range template.Header {
		h.Set(name, value)
	}
	h.Set("Electric-Handle", "bare")
	h.Set("Electric-Offset", offset(now))
	h.Set("Electric-Up-To-Date", "")
	_, _ = w.Write(body) // a client that has gone needs no answer
}

func (b *bare) setTemplate(w http.ResponseWriter, r *http.Request) {
	var t child.Template
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostSQL)).Decode(&t); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.template = t
}

// broadcast answers every waiting client, with the mark that is the body here, and
// says when.
func (b *bare) broadcast(w http.ResponseWriter, r *http.Request) {
	mark, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostSQL))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.body = []byte(strings.ReplaceAll(b.template.Body, b.template.Mark, string(mark)))
	b.n++
	close(b.changed)
	at := time.Now()
	b.changed = make(chan struct{})
	b.mu.Unlock()
	w.Header().Set(rows.CommittedAt, strconv.FormatInt(at.UnixNano(), 10))
	fmt.Fprintln(w, "sent")
}
