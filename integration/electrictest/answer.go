package electrictest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is the work of answering one request to /v1/shape.
type answer struct {
	s      *Server
	front  *Front
	w      http.ResponseWriter
	r      *http.Request
	cursor string // the query's

	p      *params
	def    *definition
	subset *subset
	shape  *shape
	end    offset // of electric-offset
}

var mustRefetch = []byte(`[{"headers":{"control":"must-refetch"}}]`)

// serve validates the parameters, finds or makes the shape, and answers.
func (a *answer) serve(fields map[string]any) {
	errs := make(fieldErrors)
	if a.p = castParams(fields, errs); a.p == nil {
		a.invalid(errs)
		return
	}
	if !a.load(fields["subset"], errs) {
		return
	}
	a.s.inspector.count(a.p)
	switch {
	case a.subset == nil && a.notModified():
		a.headers(http.StatusNotModified, a.reachesEnd(), true)
		a.w.WriteHeader(http.StatusNotModified)
	case a.subset != nil:
		a.serveSubset()
	case a.p.now:
		a.upToDateAlone()
	default:
		a.serveLog()
	}
}

// load validates what needs the tables, and sets the shape and the offset that
// the answer would reach. It answers itself where there is nothing to serve.
func (a *answer) load(subsetFields any, errs fieldErrors) bool {
	if a.def = a.s.define(a.p, errs); a.def != nil {
		if a.p.subset = castSubset(subsetFields, errs); len(errs) == 0 && a.p.subset != nil {
			a.subset = a.def.compileSubset(a.p.subset, errs)
		}
	}
	if len(errs) > 0 {
		a.invalid(errs)
		return false
	}
	var handle string
	a.shape, handle, a.end = a.front.shapeFor(a.def, a.p)
	// Electric creates the shape in any case, so that it can name its handle.
	if a.p.handle != "" && a.p.handle != handle {
		a.refetch(handle)
		return false
	}
	return true
}

// notModified reports whether the client has the answer already.
func (a *answer) notModified() bool {
	etag := a.etag(false)
	for _, value := range a.r.Header.Values("If-None-Match") {
		for candidate := range strings.SplitSeq(value, ",") {
			if strings.Trim(strings.TrimSpace(candidate), `"`) == etag {
				return true
			}
		}
	}
	return false
}

// started is what etags count from: those of empty answers carry a time, so that
// no cache revalidates them.
var started = time.Now()

func (a *answer) etag(empty bool) string {
	etag := a.shape.handle + ":" + a.requested() + ":" + a.end.String()
	if empty {
		// Erlang's monotonic time begins far below zero.
		etag += ":" + strconv.FormatInt(-576460752303423488+int64(time.Since(started)), 10)
	}
	return etag
}

func (a *answer) requested() string {
	if a.p.now {
		return "now"
	}
	return a.p.offset.String()
}

// headers sets the headers of an answer that carries a part of the log, or none
// where hasData is false.
func (a *answer) headers(status int, upToDate, hasData bool) {
	h := a.w.Header()
	switch {
	case a.r.Method == http.MethodPost:
		h.Set("Cache-Control", "no-cache")
	case !a.p.now && a.p.offset == beforeAll:
		h.Set("Cache-Control", "public, max-age=604800, s-maxage=3600, stale-while-revalidate=2629746")
	case a.p.live && a.p.sse:
		h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", max(1, int(a.s.opts.SSETimeout/time.Second)-1)))
	case a.p.live:
		h.Set("Cache-Control", "public, max-age=5, stale-while-revalidate=5")
	default:
		h.Set("Cache-Control", "public, max-age=60, stale-while-revalidate=300")
	}
	if a.p.live {
		h.Set("Electric-Cursor", a.nextCursor())
	}
	h.Set("Etag", `"`+a.etag(!hasData)+`"`)
	h.Set("Electric-Handle", a.shape.handle)
	if !a.p.live && status == http.StatusOK {
		h.Set("Electric-Schema", a.def.table.schemaHeader(a.def.selected))
	}
	if upToDate {
		h.Set("Electric-Up-To-Date", "")
	}
	h.Set("Electric-Has-Data", strconv.FormatBool(hasData))
	h.Set("Electric-Offset", a.end.String())
	if a.p.live && a.p.sse {
		h.Set("Content-Type", "text/event-stream")
		h.Set("Connection", "keep-alive")
	}
}

// reachesEnd reports whether an answer up to a.end would be up to date.
func (a *answer) reachesEnd() bool {
	if a.p.now {
		return true
	}
	a.s.mu.RLock()
	defer a.s.mu.RUnlock()
	return a.p.offset != beforeAll && !a.end.less(a.shape.lastUntil(a.front.limit)) && !a.end.less(a.p.offset)
}

// cursorEpoch is what Electric counts cursors from.
var cursorEpoch = time.Date(2024, 10, 9, 0, 0, 0, 0, time.UTC)

// nextCursor rounds the time up to a multiple of the long-poll timeout, and never
// repeats the cursor that came with the request.
func (a *answer) nextCursor() string {
	interval := int64(a.s.opts.LongPollTimeout / time.Second)
	if interval == 0 {
		return "0"
	}
	elapsed := int64(time.Since(cursorEpoch) / time.Second)
	next := (elapsed + interval - 1) / interval * interval
	if previous, err := strconv.ParseInt(a.cursor, 10, 64); err == nil && next <= previous {
		next = previous + 1 + rand.Int64N(3600) //nolint:gosec // no secret
	}
	return strconv.FormatInt(next, 10)
}

// invalid answers 400 with the errors of each field.
func (a *answer) invalid(errs fieldErrors) {
	a.fail(http.StatusBadRequest, map[string]any{"message": "Invalid request", "errors": errs})
}

func (a *answer) fail(status int, body any) {
	h := a.w.Header()
	if a.r.Method == http.MethodPost {
		h.Set("Cache-Control", "no-cache")
	} else {
		h.Set("Cache-Control", "no-store")
		h.Set("Surrogate-Control", "no-store")
	}
	writeJSON(a.w, status, body)
}

// refetch answers 409. The handle to go on with is empty where it is not known.
func (a *answer) refetch(handle string) {
	h := a.w.Header()
	age := 1
	if handle != "" {
		age = 60
		h.Set("Etag", `"`+handle+`::"`)
		h.Set("Electric-Handle", handle)
	}
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d, must-revalidate", age))
	if a.r.Method == http.MethodPost {
		h.Set("Cache-Control", "no-cache")
	}
	writeBody(a.w, http.StatusConflict, mustRefetch)
}

// unavailable answers 503.
func (a *answer) unavailable() {
	a.w.Header().Set("Retry-After", "10")
	a.fail(http.StatusServiceUnavailable, map[string]string{"message": "the server is shutting down"})
}

func upToDateMessage(lsn int64) string {
	return `{"headers":{"control":"up-to-date","global_last_seen_lsn":"` + strconv.FormatInt(lsn, 10) + `"}}`
}

// upToDateAlone answers with no change: the message that says so.
func (a *answer) upToDateAlone() {
	a.s.mu.RLock()
	lsn := a.front.lastSeen()
	a.s.mu.RUnlock()
	a.headers(http.StatusOK, true, false)
	writeBody(a.w, http.StatusOK, []byte("["+upToDateMessage(lsn)+"]"))
}
