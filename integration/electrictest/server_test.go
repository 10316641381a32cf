package electrictest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shapegate/shapegate/integration/electrictest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server behind HTTP with a table of notes.
type world struct {
	*electrictest.Server
	url    string
	client *http.Client
	stop   func()
}

func newWorld(t testing.TB, opts electrictest.Options) *world {
	t.Helper()
	w := &world{Server: electrictest.New(opts)}
	web := httptest.NewServer(w.Server)
	w.url = web.URL + "/v1/shape"
	w.client = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256}}
	w.stop = sync.OnceFunc(func() {
		w.Close()
		w.client.CloseIdleConnections()
		web.Close()
	})
	t.Cleanup(w.stop)
	w.exec(t, `create table notes(id int primary key, owner text not null, body text)`)
	return w
}

func (w *world) exec(t testing.TB, sql string, args ...any) int64 {
	t.Helper()
	txid, err := w.Exec(sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	return txid
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

func (r reply) handle() string { return r.header.Get("Electric-Handle") }
func (r reply) offset() string { return r.header.Get("Electric-Offset") }

// messages returns what the body holds, as "operation key" or "control".
func (r reply) messages(t testing.TB) []string {
	t.Helper()
	var list []struct {
		Key     string
		Headers struct{ Operation, Control string }
	}
	if err := json.Unmarshal([]byte(r.body), &list); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	var out []string
	for _, m := range list {
		if m.Headers.Control != "" {
			out = append(out, m.Headers.Control)
			continue
		}
		out = append(out, m.Headers.Operation+" "+m.Key[strings.LastIndex(m.Key, "/")+1:])
	}
	return out
}

func (w *world) do(t testing.TB, method, body string, query ...string) reply {
	t.Helper()
	q := url.Values{}
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+"?"+q.Encode(), reader)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text), err}
}

func (w *world) get(t testing.TB, query ...string) reply {
	t.Helper()
	return w.do(t, http.MethodGet, "", query...)
}

// held sends a request, waits until it is held, calls change, and returns the
// answer.
func (w *world) held(t testing.TB, change func(), query ...string) reply {
	t.Helper()
	done := make(chan reply, 1)
	go func() { done <- w.get(t, query...) }()
	w.waitHeld(t, 1)
	change()
	return <-done
}

func (w *world) waitHeld(t testing.TB, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := w.WaitHeld(ctx, n); err != nil {
		t.Fatalf("%d requests are not held: %v", n, err)
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestChunksEndWhereTheyAreFull(t *testing.T) {
	w := newWorld(t, electrictest.Options{ChunkBytes: 300})
	w.exec(t, `insert into notes select i, 'o', 'body' from generate_series(1, 5) as i`)
	r := w.get(t, "table", "notes", "offset", "-1")
	equal(t, "first", r.messages(t), []string{`insert "1"`, `insert "2"`, `insert "3"`})
	equal(t, "offset", r.offset(), "0_0")
	r = w.get(t, "table", "notes", "handle", r.handle(), "offset", r.offset())
	equal(t, "second", r.messages(t), []string{`insert "4"`, `insert "5"`, "snapshot-end"})
	equal(t, "offset", r.offset(), "0_1")
	handle := r.handle()
	w.exec(t, `insert into notes select i, 'o', 'body' from generate_series(6, 9) as i`)
	var seen []string
	for range 4 {
		r = w.get(t, "table", "notes", "handle", handle, "offset", r.offset())
		seen = append(seen, r.messages(t)...)
		if _, ok := r.header["Electric-Up-To-Date"]; ok {
			break
		}
	}
	equal(t, "log", seen, []string{`insert "6"`, `insert "7"`, `insert "8"`, `insert "9"`, "up-to-date"})
}

func TestSnapshotThatFillsItsChunkEndsInAnother(t *testing.T) {
	w := newWorld(t, electrictest.Options{ChunkBytes: 1})
	w.exec(t, `insert into notes values (1, 'o', null)`)
	r := w.get(t, "table", "notes", "offset", "-1")
	equal(t, "first", r.messages(t), []string{`insert "1"`})
	r = w.get(t, "table", "notes", "handle", r.handle(), "offset", "0_0")
	equal(t, "second", r.messages(t), []string{"snapshot-end"})
	r = w.get(t, "table", "notes", "handle", r.handle(), "offset", "0_1")
	equal(t, "third", r.messages(t), []string{"up-to-date"})
}

func TestShapesAreTheSameWhereTheirDefinitionsAre(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	handle := func(query ...string) string {
		r := w.get(t, append([]string{"table", "notes", "offset", "-1"}, query...)...)
		if r.status != 200 {
			t.Fatalf("%v: %d %s", query, r.status, r.body)
		}
		return r.handle()
	}
	plain := handle()
	equal(t, "table with schema", handle("table", "public.notes"), plain)
	equal(t, "quoted table", handle("table", `"public"."notes"`), plain)
	cols := handle("columns", "owner,id")
	equal(t, "order of columns", handle("columns", "id,owner"), cols)
	equal(t, "queryable alone", handle("queryable_columns", "id,owner"), cols)
	where := handle("where", "owner = $1", "params[1]", "a")
	equal(t, "parentheses and params", handle("where", "( owner = $1 )", "params[1]", "a"), where)
	seen := map[string]bool{plain: true, cols: true, where: true}
	for _, q := range [][]string{
		{"where", "owner = $1", "params[1]", "b"}, {"replica", "full"}, {"log", "changes_only"}, {"columns", "id,owner,body"},
	} {
		if h := handle(q...); seen[h] {
			t.Errorf("%v: the handle of another shape", q)
		} else {
			seen[h] = true
		}
	}
	r := w.get(t, "table", "notes", "offset", "0_0", "handle", where)
	equal(t, "another shape's handle", r.status, 409)
	equal(t, "the right handle", r.handle(), plain)
}

func TestLiveRequestSleepsThroughWhatIsNotOfItsShape(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `create table others(id int primary key); insert into notes values (1, 'a', 'x'), (2, 'b', 'x')`)
	q := []string{"table", "notes", "where", "owner = 'a'", "columns", "id,owner", "log", "changes_only"}
	now := w.get(t, append(q, "offset", "now")...)
	w.get(t, "table", "others", "offset", "-1")
	r := w.held(t, func() {
		w.exec(t, `insert into others values (1)`)
		w.exec(t, `insert into notes values (3, 'b', 'x')`)
		w.exec(t, `update notes set body = 'y' where id = 1`) // no column of the shape
		w.exec(t, `update notes set owner = 'c' where id = 2`)
		equal(t, "held", w.Stats().Held, 1)
		w.exec(t, `insert into others values (2); update notes set owner = 'a' where id = 3; update notes set owner = 'b' where id = 1`)
	}, append(q, "live", "true", "handle", now.handle(), "offset", now.offset())...)
	equal(t, "messages", r.messages(t), []string{`insert "3"`, `delete "1"`, "up-to-date"})
	if !strings.HasSuffix(r.offset(), "_4") {
		t.Errorf("offset %s: changes to other tables with shapes take positions", r.offset())
	}
}

func TestTruncateAndDropEndShapes(t *testing.T) {
	for name, end := range map[string]func(*world){
		"truncate": func(w *world) { w.exec(t, `truncate notes`) },
		"drop":     func(w *world) { w.exec(t, `drop table notes; create table notes(id int primary key, owner text)`) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, electrictest.Options{})
			first := w.get(t, "table", "notes", "offset", "now")
			live := []string{"table", "notes", "live", "true", "handle", first.handle(), "offset", "0_inf"}
			r := w.held(t, func() { end(w) }, live...)
			equal(t, "status", r.status, 409)
			equal(t, "handle of the waiting request", r.handle(), "")
			r = w.get(t, live...)
			equal(t, "status", r.status, 409)
			if r.handle() == "" || r.handle() == first.handle() {
				t.Errorf("handle %q after %q", r.handle(), first.handle())
			}
			again := w.get(t, "table", "notes", "offset", "now")
			equal(t, "handle", again.handle(), r.handle())
		})
	}
}

func TestRequestAheadOfTheLogWaitsForHalfTheTimeout(t *testing.T) {
	w := newWorld(t, electrictest.Options{LongPollTimeout: 200 * time.Millisecond})
	handle := w.get(t, "table", "notes", "offset", "-1").handle()
	for _, live := range []string{"false", "true"} {
		began := time.Now()
		r := w.get(t, "table", "notes", "handle", handle, "offset", "99000000_0", "live", live)
		equal(t, "status", r.status, 400)
		equal(t, "body", r.body, `{"errors":{"offset":["out of bounds for this shape"]},"message":"Invalid request"}`)
		if took := time.Since(began); took < 100*time.Millisecond {
			t.Errorf("answered after %s", took)
		}
	}
}

func TestLogThatCatchesUpWithARequest(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	handle := w.get(t, "table", "notes", "offset", "-1").handle()
	w.exec(t, `insert into notes values (1, 'a')`)
	ahead := w.get(t, "table", "notes", "handle", handle, "offset", "0_inf").offset()
	lsn := strings.TrimSuffix(ahead, "_0")
	r := w.held(t, func() { w.exec(t, `insert into notes values (2, 'a')`) },
		"table", "notes", "handle", handle, "offset", lsn+"_1")
	equal(t, "messages", r.messages(t), []string{`insert "2"`, "up-to-date"})
}

func TestEventStreamStaysOpenUntilItsTimeout(t *testing.T) {
	w := newWorld(t, electrictest.Options{SSETimeout: 1500 * time.Millisecond, KeepAlive: 100 * time.Millisecond})
	now := w.get(t, "table", "notes", "offset", "now")
	q := []string{"table", "notes", "live", "true", "live_sse", "true", "handle", now.handle(), "offset", now.offset()}
	r := w.held(t, func() {
		w.exec(t, `insert into notes values (1, 'a')`)
		w.exec(t, `insert into notes values (2, 'a')`)
	}, q...)
	if r.err != nil || r.status != 200 {
		t.Fatalf("%d %v", r.status, r.err)
	}
	equal(t, "cache-control", r.header.Get("Cache-Control"), "public, max-age=1")
	var kinds []string
	keepAlives := 0
	for event := range strings.SplitSeq(strings.TrimSuffix(r.body, "\n\n"), "\n\n") {
		switch {
		case event == ": keep-alive":
			keepAlives++
		case strings.Contains(event, "up-to-date"):
			kinds = append(kinds, "up-to-date")
		default:
			kinds = append(kinds, "data")
		}
	}
	equal(t, "events", kinds, []string{"data", "up-to-date", "data", "up-to-date"})
	if keepAlives == 0 {
		t.Error("no keep-alive")
	}
}

func TestEventStreamEndsWithItsShape(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	now := w.get(t, "table", "notes", "offset", "now")
	r := w.held(t, func() { w.exec(t, `truncate notes`) },
		"table", "notes", "live", "true", "live_sse", "true", "handle", now.handle(), "offset", now.offset())
	equal(t, "status", r.status, 200)
	equal(t, "body", r.body, "")
}

func TestSubsetSpeaksOnlyOfQueryableColumns(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `insert into notes values (1, 'a', 'x'), (2, 'b', 'y')`)
	q := []string{"table", "notes", "offset", "now", "columns", "id,owner", "where", "body = 'y'"}
	r := w.do(t, http.MethodPost, `{"where":"body = 'x'"}`, append(q, "queryable_columns", "id,owner")...)
	equal(t, "status", r.status, 400)
	r = w.do(t, http.MethodPost, `{"where":"owner = 'b'"}`, append(q, "queryable_columns", "id,owner")...)
	equal(t, "status", r.status, 200)
	if !strings.Contains(r.body, `"value":{"id":"2","owner":"b"}`) || strings.Contains(r.body, `"1"`) {
		t.Errorf("body %s", r.body)
	}
	r = w.do(t, http.MethodPost, `{"where":"body = 'x' or true"}`, q...)
	equal(t, "columns alone do not limit a subset's where", r.status, 200)
}

// TestOrInTheMainWhereLeaksThroughSubsets is the flaw of
// TestMainWhereWithOrWidensSubsets as a client meets it.
func TestOrInTheMainWhereLeaksThroughSubsets(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `insert into notes values (1, 'a', 'x'), (2, 'b', 'y')`)
	r := w.do(t, http.MethodPost, `{"where":"id = 2"}`, "table", "notes", "offset", "now", "where", "(owner = 'a' or owner = 'b')")
	if !strings.Contains(r.body, `"id":"1"`) {
		t.Errorf("the subset is not widened: %s", r.body)
	}
}

func TestParametersAreValidated(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	for _, c := range []struct {
		body   string
		query  []string
		errors string
	}{
		{query: []string{"offset", "-1"}, errors: `{"table":["can't be blank"]}`},
		{query: []string{"table", "notes", "offset", "now", "live", "true"}, errors: `{"live":["can't be true when offset is 'now'"]}`},
		{query: []string{"table", "notes", "offset", "-1", "replica", "half", "log", "x"}, errors: `{"log":["is invalid"],"replica":["is invalid"]}`},
		{query: []string{"table", "a.b.c", "offset", "-1"}, errors: `{"table":["Invalid relation identifier, too many delimiters: a.b.c"]}`},
		{query: []string{"table", "notes", "offset", "-1", "columns", "id,"}, errors: `{"columns":["Invalid zero-length delimited identifier"]}`},
		{query: []string{"table", "notes", "offset", "-1", "columns", "id,nope"}, errors: `{"columns":["The following columns are not found on the table: nope"]}`},
		{query: []string{"table", "notes", "offset", "-1", "queryable_columns", "owner"}, errors: `{"queryable_columns":["The list of queryable columns must include all primary key columns, missing: id"]}`},
		{query: []string{"table", "notes", "offset", "-1", "queryable_columns", "id", "columns", "id,owner"}, errors: `{"columns":["The following columns are not found on the table: owner"]}`},
		{query: []string{"table", "notes", "offset", "-1", "params", "x"}, errors: `{"params":["is invalid"]}`},
		{query: []string{"table", "notes", "offset", "-1", "where", "id = $2", "params[2]", "1"}, errors: `{"params":["Parameters must be numbered sequentially, starting from 1"]}`},
		{query: []string{"table", "notes", "offset", "-1", "where", "true", "params[a]", "1"}, errors: `{"params":["Parameters can only use numbers as keys"]}`},
		{body: `{"table":5}`, query: []string{"table", "notes", "offset", "-1"}, errors: `{"table":["is invalid"]}`},
		{body: `{"where":"true","params":{"x":1}}`, query: []string{"table", "notes", "offset", "now"}, errors: `{"subset":{"params":["Parameters can only use numbers as keys"]}}`},
		{body: `{"limit":1.5,"order_by":"id"}`, query: []string{"table", "notes", "offset", "now"}, errors: `{"subset":{"limit":["is invalid"]}}`},
		{body: `{"subset":"x"}`, query: []string{"table", "notes", "offset", "now"}, errors: `{"subset":["is invalid"]}`},
	} {
		method := http.MethodGet
		if c.body != "" {
			method = http.MethodPost
		}
		r := w.do(t, method, c.body, c.query...)
		equal(t, fmt.Sprint(c.query, c.body), r.body, `{"errors":`+c.errors+`,"message":"Invalid request"}`)
		equal(t, "status", r.status, 400)
	}
	// false is true, if it is JSON's.
	r := w.do(t, http.MethodPost, `{"live":false}`, "table", "notes", "offset", "-1")
	equal(t, "live", r.body, `{"errors":{"live":["can't be true when offset == -1"]},"message":"Invalid request"}`)
}

func TestSubsetParametersMayBeScalars(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `insert into notes values (1, 'true', 'x'), (2, 'b', '')`)
	for body, want := range map[string]string{
		`{"where":"id = $1","params":{"1":2}}`:                          `"2"`,
		`{"where":"owner = $1","params":{"1":true}}`:                    `"1"`,
		`{"where":"body = $1","params":{"1":null}}`:                     `"2"`,
		`{"where":"id = $1","params":"{\"1\":\"1\"}"}`:                  `"1"`,
		`{"subset":{"order_by":"id desc","limit":"1"}}`:                 `"2"`,
		`{"order_by":"id","limit":1,"offset":1,"where":"   "}`:          `"2"`,
		`{"where":"id = ANY($1)","params":{"1":"{1}"},"where_expr":{}}`: `"1"`,
	} {
		r := w.do(t, http.MethodPost, body, "table", "notes", "offset", "now")
		if r.status != 200 || strings.Count(r.body, `"key"`) != 1 || !strings.Contains(r.body, `"id":`+want) {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
}

func TestSecretIsAskedForOnEverySpellingOfThePath(t *testing.T) {
	w := newWorld(t, electrictest.Options{Secret: "s"})
	base := strings.TrimSuffix(w.url, "/v1/shape")
	for path, want := range map[string]int{
		"/v1/shape": 401, "/v1//shape": 401, "/v1/shape/": 401, "/v1/%73hape": 401,
		"/v1/shape?secret=x": 401, "/v1/shape?secret=s": 400, "/v1/shape?api_secret=s": 400,
		"/v1/health": 200, "/": 200, "/v1/other": 404,
	} {
		resp, err := w.client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		equal(t, path, resp.StatusCode, want)
	}
}

func TestInterceptedRequestsFailAsTheInterceptorSays(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `insert into notes values (1, 'a', 'x')`)
	failing := func(fault error) reply {
		w.Intercept(func(_ *http.Request, body []byte) error {
			if len(body) == 0 {
				return nil
			}
			return fault
		})
		return w.do(t, http.MethodPost, `{"where":"true"}`, "table", "notes", "offset", "now")
	}
	r := failing(&electrictest.Fault{Status: 503, Header: http.Header{"Retry-After": {"7"}}, Body: "busy"})
	equal(t, "answer", []any{r.status, r.header.Get("Retry-After"), r.body}, []any{503, "7", "busy"})
	if r = failing(&electrictest.Fault{}); r.err == nil {
		t.Error("the connection is not closed")
	}
	if r = failing(&electrictest.Fault{CutAfter: 20}); r.err == nil || r.status != 200 || len(r.body) != 20 {
		t.Errorf("%d %q %v, want 20 bytes and an error", r.status, r.body, r.err)
	}
	equal(t, "get", w.get(t, "table", "notes", "offset", "-1").status, 200)
	w.Intercept(nil)
	equal(t, "post", w.do(t, http.MethodPost, `{"where":"true"}`, "table", "notes", "offset", "now").status, 200)
	equal(t, "requests", w.Stats(), electrictest.Stats{Total: 5})
}

// TestWritersAndReadersTogether follows a log by long-polls and an event stream
// while others write and read, and checks that each change is seen once.
func TestWritersAndReadersTogether(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	now := w.get(t, "table", "notes", "offset", "now", "log", "changes_only")
	const writers, writes = 4, 25
	var wg sync.WaitGroup
	follow := func(read func(offset string) (next string, inserts int)) {
		wg.Go(func() {
			offset, seen := now.offset(), 0
			for seen < writers*writes {
				next, n := read(offset)
				offset, seen = next, seen+n
			}
			equal(t, "inserts", seen, writers*writes)
		})
	}
	for range 3 {
		follow(func(offset string) (string, int) {
			r := w.get(t, "table", "notes", "log", "changes_only", "live", "true", "handle", now.handle(), "offset", offset)
			return r.offset(), strings.Count(r.body, `"insert"`)
		})
	}
	wg.Go(func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet,
			w.url+"?table=notes&log=changes_only&live=true&live_sse=true&offset=0_inf&handle="+now.handle(), nil)
		resp, err := w.client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		seen := 0
		for lines := bufio.NewScanner(resp.Body); seen < writers*writes && lines.Scan(); {
			seen += strings.Count(lines.Text(), `"insert"`)
		}
		equal(t, "streamed inserts", seen, writers*writes)
	})
	w.waitHeld(t, 4)
	for n := range writers {
		wg.Go(func() {
			for i := range writes {
				if _, err := w.Tx(func(tx *electrictest.Tx) error {
					return tx.Insert("notes", map[string]any{"id": n*writes + i, "owner": "o"})
				}); err != nil {
					t.Error(err)
				}
				w.do(t, http.MethodPost, `{"where":"id = ANY($1)","params":{"1":"{1,2,3}"}}`, "table", "notes", "offset", "now")
			}
		})
	}
	wg.Wait()
}

// TestManyRequestsWaitAtLittleCost holds 10,000 long-polls, without sockets, and
// wakes them with one write.
func TestManyRequestsWaitAtLittleCost(t *testing.T) {
	const waiting = 10_000
	w := newWorld(t, electrictest.Options{})
	now := w.get(t, "table", "notes", "offset", "now")
	target := "/v1/shape?table=notes&live=true&offset=0_inf&handle=" + now.handle()
	var wg sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, waiting)
	for i := range answers {
		answers[i] = httptest.NewRecorder()
		wg.Go(func() { w.ServeHTTP(answers[i], httptest.NewRequest(http.MethodGet, target, nil)) })
	}
	w.waitHeld(t, waiting)
	w.exec(t, `insert into notes values (1, 'a')`)
	wg.Wait()
	for _, a := range answers {
		if a.Code != 200 || !strings.Contains(a.Body.String(), `"insert"`) {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
	}
}

func TestTxWritesTypedValues(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `create table typed(a int, b text, n numeric, ok bool, at timestamptz, tags text[], j jsonb, x int default 7, primary key (a))`)
	id, err := w.Tx(func(tx *electrictest.Tx) error {
		if err := tx.Insert("typed", map[string]any{
			"a": 1, "b": "k", "n": 1.5, "ok": true, "at": time.Unix(0, 0), "tags": []string{"p", "q r"},
			"j": json.RawMessage(`{"k":1}`),
		}); err != nil {
			return err
		}
		return tx.Update("typed", 1, map[string]any{"b": "l", "n": nil})
	})
	if err != nil || id == 0 {
		t.Fatal(id, err)
	}
	r := w.get(t, "table", "typed", "offset", "-1")
	want := `"value":{"a":"1","at":"1970-01-01 00:00:00+00","b":"l","j":"{\"k\": 1}","n":null,"ok":"true","tags":"{p,\"q r\"}","x":"7"}`
	if !strings.Contains(r.body, want) || strings.Count(r.body, `"key"`) != 1 {
		t.Errorf("body %s", r.body)
	}
	w.exec(t, `create table pairs(a int, b int, primary key (a, b)); insert into pairs values (1, 1)`)
	for name, do := range map[string]func(tx *electrictest.Tx) error{
		"unknown column": func(tx *electrictest.Tx) error {
			return tx.Insert("notes", map[string]any{"id": 1, "owner": "a", "x": 1})
		},
		"unknown table": func(tx *electrictest.Tx) error { return tx.Insert("nope", nil) },
		"no such row":   func(tx *electrictest.Tx) error { return tx.Update("notes", 4, nil) },
		"half a key":    func(tx *electrictest.Tx) error { return tx.Update("pairs", 1, nil) },
		"no value":      func(tx *electrictest.Tx) error { return tx.Insert("notes", map[string]any{"id": struct{}{}}) },
	} {
		if _, err := w.Tx(do); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCloseEndsWaitingRequests(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	now := w.get(t, "table", "notes", "offset", "now")
	q := []string{"table", "notes", "live", "true", "handle", now.handle(), "offset", now.offset()}
	replies := make(chan reply, 2)
	go func() { replies <- w.get(t, q...) }()
	go func() { replies <- w.get(t, append(q, "live_sse", "true")...) }()
	w.waitHeld(t, 2)
	w.Close()
	statuses := map[int]int{}
	for range 2 {
		statuses[(<-replies).status]++
	}
	equal(t, "statuses", statuses, map[int]int{200: 1, 503: 1})
	equal(t, "later", w.get(t, q...).status, 503)
}

func TestDemoSchemaRuns(t *testing.T) {
	sql, err := os.ReadFile("../../schema/demo/demo.sql")
	if err != nil {
		t.Fatal(err)
	}
	s := electrictest.New(electrictest.Options{})
	defer s.Close()
	if _, err := s.Exec(string(sql)); err != nil {
		t.Fatal(err)
	}
}
