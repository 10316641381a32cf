package electrictest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// started is what etags count from: those of empty answers carry a time, so that
// no cache revalidates them.
var started = time.Now()

func (a *answer) etag(empty bool) string {
	requested := a.p.offset.String()
	if a.p.now {
		requested = "now"
	}
	etag := a.shape.handle + ":" + requested + ":" + a.end.String()
	if empty {
		// Erlang's monotonic time begins far below zero.
		etag += ":" + strconv.FormatInt(-576460752303423488+int64(time.Since(started)), 10)
	}
	return etag
}

// headers sets the headers of an answer that carries a part of the log, or none
// where hasData is false.
func (a *answer) headers(status int, upToDate, hasData bool) {
	h := a.w.Header()
	h.Set("Cache-Control", a.cacheControl())
	if a.p.live {
		h.Set("Electric-Cursor", nextCursor(a.cursor, a.s.opts.LongPollTimeout))
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

// cacheControl says how long caches may keep a part of the log.
func (a *answer) cacheControl() string {
	switch {
	case a.r.Method == http.MethodPost:
		return "no-cache"
	case !a.p.now && a.p.offset == beforeAll:
		return "public, max-age=604800, s-maxage=3600, stale-while-revalidate=2629746"
	case a.p.live && a.p.sse:
		return fmt.Sprintf("public, max-age=%d", max(1, int(a.s.opts.SSETimeout/time.Second)-1))
	case a.p.live:
		return "public, max-age=5, stale-while-revalidate=5"
	default:
		return "public, max-age=60, stale-while-revalidate=300"
	}
}

// cursorEpoch is what Electric counts cursors from.
var cursorEpoch = time.Date(2024, 10, 9, 0, 0, 0, 0, time.UTC)

// nextCursor rounds the time up to a multiple of the long-poll timeout, and never
// repeats the cursor that came with the request.
func nextCursor(requested string, timeout time.Duration) string {
	interval := int64(timeout / time.Second)
	if interval == 0 {
		return "0"
	}
	elapsed := int64(time.Since(cursorEpoch) / time.Second)
	next := (elapsed + interval - 1) / interval * interval
	if previous, err := strconv.ParseInt(requested, 10, 64); err == nil && next <= previous {
		next = previous + 1 + rand.Int64N(3600) //nolint:gosec // no secret
	}
	return strconv.FormatInt(next, 10)
}
