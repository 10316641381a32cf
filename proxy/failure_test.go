package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/feed"
)

// isAway makes sure of a 503 that says when to come back.
func (a *answer) isAway() {
	a.t.Helper()
	a.refused(http.StatusServiceUnavailable, "")
	if a.header.Get("Retry-After") == "" {
		a.t.Error("a 503 without Retry-After")
	}
}

// eachKindOfRequest sends one request of each kind that does not wait.
func eachKindOfRequest(r reader, at *answer, test func(kind string, a *answer)) {
	path := "/v1/shapes/documents?"
	test("first read", r.get(path+"offset=-1"))
	test("position", r.get(path+"offset=now&log=changes_only"))
	test("catch-up", r.get(path+at.onward()))
	test("long-poll", r.get(path+"live=true&"+at.onward()))
	test("event stream", r.get(path+sse+at.onward()))
	test("subset", r.post(path, `{"where":"true"}`))
}

// soonStale makes grants too old soon after SpiceDB went away.
var soonStale = caching(func(c *grantcache.Config) { c.MaxStaleness = 300 * time.Millisecond })

func TestWithoutSpiceDBNothingIsAnswered(t *testing.T) {
	d := deploy(t, soonStale)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	d.spicedb.Pause()
	d.lost()
	d.upstream.forget()
	eachKindOfRequest(alice, at, func(_ string, a *answer) { a.isAway() })
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
	d.check(d.spicedb.Resume())
	for ctx := d.context(); ; d.check(ctx.Err()) {
		a := alice.get("/v1/shapes/documents?" + at.onward())
		if a.status == http.StatusOK {
			break
		}
		a.isAway()
	}
}

func TestWhatIsHeldIsNotDeliveredWithoutSpiceDB(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.spicedb.Pause()
		l.d.lost()
		l.d.exec("UPDATE documents SET title = 'nobody knows whose'")
		l.endsWith(http.StatusServiceUnavailable)
	}, soonStale)
}

func TestWithoutElectricNothingIsAnswered(t *testing.T) {
	for name, tt := range map[string]struct {
		fault      electrictest.Fault
		status     int
		retryAfter string
	}{
		"no connection":     {electrictest.Fault{}, 503, "1"},
		"starting":          {electrictest.Fault{Status: 503, Header: http.Header{"Retry-After": {"7"}}}, 503, "7"},
		"overloaded":        {electrictest.Fault{Status: 429, Header: http.Header{"Retry-After": {"3"}}}, 429, "3"},
		"broken":            {electrictest.Fault{Status: 500, Body: hush}, 503, "1"},
		"behind a proxy":    {electrictest.Fault{Status: 504, Header: http.Header{"Retry-After": {"soon"}}, Body: hush}, 503, "1"},
		"not Electric":      {electrictest.Fault{Status: 404, Body: hush}, 502, ""},
		"elsewhere":         {electrictest.Fault{Status: 302, Header: http.Header{"Location": {"http://127.0.0.1:1/"}}}, 502, ""},
		"of another secret": {electrictest.Fault{Status: 401, Body: hush}, 502, ""},
		"no headers":        {electrictest.Fault{Status: 200, Body: `[{"headers":{"control":"up-to-date"}}]`}, 502, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, hasty)
			alice := d.as("alice")
			at := alice.get("/v1/shapes/documents?offset=-1")
			d.upstream.answering(anything, &tt.fault)
			d.electricIsLost()
			eachKindOfRequest(alice, at, func(kind string, a *answer) {
				a.refused(tt.status, "")
				if got := a.header.Get("Retry-After"); got != tt.retryAfter {
					t.Errorf("%s: Retry-After: %q, want %q", kind, got, tt.retryAfter)
				}
			})
			d.upstream.back()
			eachKindOfAnswer(t, d, alice, at)
		})
	}
}

// eachKindOfAnswer makes sure that all is well again.
func eachKindOfAnswer(t *testing.T, d *deployment, r reader, at *answer) {
	t.Helper()
	d.electricIsBack()
	d.handler.Drain() // no request is to wait
	eachKindOfRequest(r, at, func(kind string, a *answer) {
		if a.status != http.StatusOK {
			t.Errorf("%s: status %d", kind, a.status)
		}
	})
}

func TestNoFailureQuotesElectricsRequestOrAnswer(t *testing.T) {
	d := deploy(t, hasty)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	secretWhere := `{"where":"\"title\" = 'a very private question'"}`
	for _, fault := range []*electrictest.Fault{{}, {Status: 400, Body: hush}, {Status: 500, Body: hush}, {Status: 200, Body: hush}} {
		d.upstream.answering(anything, fault)
		d.electricIsLost()
		eachKindOfRequest(alice, at, func(_ string, a *answer) { // each answer is looked at for secrets
			if a.status == http.StatusOK {
				t.Errorf("status 200: %s", a.body)
			}
		})
		alice.post("/v1/shapes/documents", secretWhere)
	}
	token := strings.TrimPrefix(alice.header.Get("Authorization"), "Bearer ")
	for _, secret := range []string{hush, electricSecret, d.electricURL, token, "private question", full("d1"), "ANY("} {
		if strings.Contains(d.logged.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// answered is Electric's answer with the given body, and headers as they should be.
func answered(at *answer, body string, more ...string) *electrictest.Fault {
	handle, _, _ := strings.Cut(at.handle(), "~")
	f := &electrictest.Fault{Status: http.StatusOK, Body: body, Header: http.Header{
		"Electric-Handle": {handle}, "Electric-Offset": {at.offset()}, "Electric-Schema": {at.header.Get("Electric-Schema")},
		"Electric-Cursor": {"1"},
	}}
	for _, name := range more {
		f.Header.Set(name, "true")
	}
	return f
}

func TestAMalformedLogIsNotPassedOn(t *testing.T) {
	d := deploy(t, withoutWindow, hasty)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	d.exec("UPDATE documents SET title = 'behind'")
	row := `"key":"\"public\".\"documents\"/\"` + full("d1") + `\"","value":{"id":"` + full("d1") + `"}`
	for _, body := range []string{
		`garbage`, `{}`, `null`, ``, `[`, `[1]`, `[{}]`, `[] []`, `[{"headers":{}}]`,
		`[{` + row + `,"headers":{"operation":"upsert"}}]`,
		`[{` + row + `}]`,
		`[{` + row + `,"headers":{"operation":"insert"}}`,
		`[{"headers":{"operation":"insert"}}]`,
		`[{"value":{"id":["` + full("d1") + `"]},"key":"","headers":{"operation":"insert"}}]`,
		`[{"headers":{"control":"must-refetch"}}]`,
	} {
		d.upstream.answering(logReads, answered(at, body))
		for _, live := range []string{"", "live=true&"} {
			a := alice.get("/v1/shapes/documents?" + live + at.onward())
			if a.err == nil && a.status != http.StatusBadGateway && a.status != http.StatusServiceUnavailable && a.status != http.StatusConflict {
				t.Errorf("%s%s becomes status %d: %s", live, body, a.status, a.body)
			}
		}
	}
}

func TestAMalformedSubsetIsNotPassedOn(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	row := `{"key":"k","value":{"id":"` + full("d1") + `"},"headers":{"operation":"insert"}}`
	metadata := `"metadata":{"xmin":"1","xmax":"1","xip_list":[]}`
	for _, body := range []string{
		`garbage`, `[]`, `{}`, `{` + metadata + `}`, `{"data":[` + row + `]}`, `{` + metadata + `,"data":[` + row,
		`{` + metadata + `,"data":[` + row + `]`, `{"metadata":{},"data":[]}`, `{` + metadata + `,"data":[{"headers":{"control":"up-to-date"}}]}`,
		`{` + metadata + `,"data":[` + strings.Replace(row, "insert", "delete", 1) + `]}`, `{` + metadata + `,"data":[],"data":[` + row + `]}`,
	} {
		d.upstream.answering(subsets, answered(at, body, "Electric-Snapshot"))
		for _, a := range []*answer{alice.get("/v1/shapes/documents?offset=-1"), alice.post("/v1/shapes/documents", `{"where":"true"}`)} {
			if a.err == nil && a.status != http.StatusBadGateway && a.status != http.StatusServiceUnavailable {
				t.Errorf("%s becomes status %d: %s", body, a.status, a.body)
			}
		}
	}
	d.upstream.answering(subsets, answered(at, `{`+metadata+`,"data":[]}`)) // that does not say it is a subset
	alice.post("/v1/shapes/documents", `{"where":"true"}`).refused(http.StatusBadGateway, "")
}

// A handle names the transactions that were open at the snapshot. One that the client
// could not send again is never given out.
func TestAHandleThatWouldBeTooLongIsNotGiven(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	open := make([]string, 4000)
	for i := range open {
		open[i] = fmt.Sprintf("%q", strconv.Itoa(1000+i))
	}
	d.upstream.answering(subsets, answered(at,
		`{"metadata":{"xmin":"1000","xmax":"9000","xip_list":[`+strings.Join(open, ",")+`],"database_lsn":"1"},"data":[]}`,
		"Electric-Snapshot"))
	for _, a := range []*answer{alice.get("/v1/shapes/documents?offset=-1"), alice.post("/v1/shapes/documents", `{"where":"true"}`)} {
		a.isAway()
	}
}

// metadata is a subset's, as Electric writes it.
const metadata = `{"snapshot_mark":1,"database_lsn":"1","xmin":"1","xmax":"1","xip_list":[]}`

// row is a row of a subset, as Electric writes it.
func row(value string) string {
	return `{"key":"k","value":` + value + `,"headers":{"operation":"insert","relation":["public","documents"]}}`
}

// Metadata may stand behind the data as well as before it.
func TestTheMembersOfASubsetComeInAnyOrder(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	d.upstream.answering(subsets, answered(at,
		`{"data":[`+row(`{"id":"`+full("d1")+`"}`)+`],"metadata":`+metadata+`}`,
		"Electric-Snapshot"))
	alice.post("/v1/shapes/documents?"+at.onward(), `{"where":"true"}`).holds("d1")
	// A first read's handle names which transactions the snapshot has seen: that has to be
	// known before the rows are sent. Electric says it there.
	alice.get("/v1/shapes/documents?offset=-1").refused(http.StatusBadGateway, "")
}

func TestRowsThatComeAgainstTheFilterAreWithheld(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	var rows []string
	for _, id := range []string{full("d3"), full("d1"), strings.ToUpper(full("d2")), full("d4")} {
		rows = append(rows, row(fmt.Sprintf(`{"id":%q,"title":"x"}`, id)))
	}
	rows = append(rows, row(`{"title":"x"}`), row(`{"id":null}`))
	d.upstream.answering(subsets, answered(at, `{"metadata":`+metadata+`,"data":[`+strings.Join(rows, ",")+`]}`, "Electric-Snapshot"))
	alice.get("/v1/shapes/documents?offset=-1").says("insert d1", "snapshot-end", "up-to-date")
	if got := d.metric("shapegate_rows_withheld_total"); got != 5 {
		t.Errorf("%v rows are counted as withheld, want 5", got)
	}
	if s := alice.post("/v1/shapes/documents", `{"where":"true"}`).subset(); len(s.Data) != 1 {
		t.Errorf("the subset holds %v", inShort(s.Data))
	}
}

// manyRows fills the table with rows that alice may see, more than any buffer on
// the way holds.
func manyRows(t *testing.T, options ...option) *deployment {
	t.Helper()
	var mine []string
	for i := range 800 {
		mine = append(mine, sees("alice", fmt.Sprintf("d%d", 100+i)))
	}
	d := deploy(t, append(options, granting(mine...))...)
	_, err := d.electric.Tx(func(tx *electrictest.Tx) error {
		for i := range 800 {
			row := map[string]any{"id": full(fmt.Sprintf("d%d", 100+i)), "title": strings.Repeat("x", 200)}
			if err := tx.Insert("documents", row); err != nil {
				return err
			}
		}
		return nil
	})
	d.check(err)
	return d
}

// A part must not pass for the whole: either the answer has a status that says
// so or, once it has begun, its connection is cut.
func TestAnAnswerThatBreaksOffIsCut(t *testing.T) {
	d := manyRows(t, withoutWindow)
	alice, path := d.as("alice"), "/v1/shapes/documents?"
	at := alice.get(path + "offset=-1")
	board := alice.get("/v1/shapes/board?offset=-1")
	d.exec("UPDATE documents SET title = title || '+'")
	for kind, ask := range map[string]func() *answer{
		"first read": func() *answer { return alice.get(path + "offset=-1") },
		"subset":     func() *answer { return alice.post(path, `{"where":"true"}`) },
		"catch-up":   func() *answer { return alice.get(path + at.onward()) },
		"long-poll":  func() *answer { return alice.get(path + "live=true&" + at.onward()) },
		"whole log":  func() *answer { return alice.get("/v1/shapes/board?offset=-1") },
		"rest of it": func() *answer { return alice.get("/v1/shapes/board?" + board.onward()) },
	} {
		position := func(a asked) bool { return a.query.Get("offset") == "now" && !a.isSubset() }
		for _, after := range []int{1, 100, 5_000, 150_000} {
			d.upstream.failing(func(a asked) error {
				if position(a) {
					return nil
				}
				return &electrictest.Fault{CutAfter: after}
			})
			a := ask()
			switch {
			case a.err == nil:
				a.isAway() // and has nothing of the answer that had begun
			case json.Valid(a.body):
				t.Errorf("%s, cut after %d bytes, is valid JSON", kind, after)
			}
			if after == 150_000 {
				a.cut()
			}
		}
	}
}

// The client of a stream takes messages with the up-to-date that follows them.
func TestAStreamThatBreaksOffIsNotUpToDate(t *testing.T) {
	d := manyRows(t, withoutWindow)
	alice, path := d.as("alice"), "/v1/shapes/documents?"
	at := alice.get(path + "offset=-1")
	d.exec("UPDATE documents SET title = title || '+'")
	d.upstream.answering(logReads, &electrictest.Fault{CutAfter: 150_000})
	s := alice.stream(path + sse + at.onward())
	for event := range s.events {
		if strings.Contains(event, "up-to-date") {
			t.Errorf("it says %s", event)
		}
	}
}

func TestATruncateMeansBeginningAnew(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1")
	poll := alice.hold("/v1/shapes/documents?live=true&" + at.onward())
	d.waitHeld(1)
	d.exec("TRUNCATE documents")
	refused := poll.answer().mustRefetch(at)
	alice.get("/v1/shapes/documents?"+at.onward()).mustRefetch(at, refused)
	alice.get("/v1/shapes/documents?offset=-1").holds()
}

// Electric answers 409 to a read without a handle where a shape went away while
// it was asked for. That passes, and is nothing that a client could refetch.
func TestA409ToAReadWithoutAHandleIs503(t *testing.T) {
	d := deploy(t, hasty)
	alice := d.as("alice")
	alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	d.upstream.answering(anything, &electrictest.Fault{Status: http.StatusConflict, Body: `[{"headers":{"control":"must-refetch"}}]`})
	d.breakElectric()
	d.awaitFeeds(func(s feed.Status) bool { return s.Position == "" })
	alice.get("/v1/shapes/documents?offset=-1").isAway()
	alice.get("/v1/shapes/documents?offset=now").isAway()
	alice.get("/v1/shapes/board?offset=-1").isAway()
	alice.post("/v1/shapes/documents", `{"where":"true"}`).isAway()
}

func TestWithoutRedisBearerTokensGoOn(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	cookie := d.anybody().with("Cookie", alice.login())
	d.redis.Close()
	cookie.get("/v1/shapes/documents?offset=-1").isAway()
	cookie.get("/v1/session").isAway()
	cookie.do(http.MethodDelete, "/v1/session", "").isAway()
	alice.post("/v1/session", "").isAway()
	alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	d.check(d.redis.Restart())
	cookie.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
}

func TestUntilItIsReadyNothingIsServed(t *testing.T) {
	var ready atomic.Bool
	d := deploy(t, configured(func(c *proxy.Config) { c.Ready = ready.Load }))
	alice := d.as("alice")
	alice.get("/v1/shapes/documents?offset=-1").isAway()
	alice.post("/v1/shapes/documents", `{"where":"true"}`).isAway()
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
	ready.Store(true)
	alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
}

func TestAReaderThatGoesAwayIsNotWaitedFor(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	for _, live := range []string{"live=true&", sse} {
		ctx, leave := context.WithCancel(d.context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			alice.answer(alice.send(ctx, http.MethodGet, "/v1/shapes/documents?"+live+first.onward(), ""))
		}()
		d.waitHeld(1)
		leave()
		<-gone
		d.waitHeld(0)
	}
}

// The context of a request may end although its client is there: the program that
// mounts the handler gave it a deadline, or is ending.
func TestARequestWhoseContextEndsIsCut(t *testing.T) {
	d := deploy(t)
	ending := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		go func() {
			select {
			case <-ending:
				cancel()
			case <-ctx.Done():
			}
		}()
		d.handler.ServeHTTP(w, r.WithContext(ctx))
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.url = server.URL
	poll := alice.hold("/v1/shapes/documents?live=true&" + first.onward())
	d.waitHeld(1)
	close(ending)
	poll.answer().cut()
}
