package electrictest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
)

// recording is a file of testdata/recordings: exchanges with Electric 1.7.12, recorded up
// to 13, and from 14 on written down from what was observed.
type recording struct {
	SetupSQL  string     `json:"setup_sql"`
	Exchanges []exchange `json:"exchanges"`
}

type exchange struct {
	Request struct {
		Method, Path string
		Query        map[string]string
		Headers      map[string]string
		Body         json.RawMessage
	}
	Response struct {
		Status    int
		Headers   map[string]string
		Body      json.RawMessage
		BodyBytes int    `json:"body_bytes"`
		BodyHead  string `json:"body_head"`
		BodyTail  string `json:"body_tail"`
	}
}

const replaySecret = "replayed"

// script is what was written to the database around the exchanges: by file, then
// by the exchange's number. The recordings say it in prose.
var script = map[string]struct {
	setup  string         // in place of setup_sql, where that is prose too
	before map[int]string // before the request is sent
	during map[int][]string
}{
	"02-live-replica-default": {during: map[int][]string{
		0: {`insert into rec_full(id, project_id, title) values ('44444444-4444-4444-8444-444444444444', 'p2', 'fourth')`},
		1: {`update rec_full set title = 'FIRST', points = 10 where id = '11111111-1111-4111-8111-111111111111';
		     update rec_full set project_id = 'p9' where id = '33333333-3333-4333-8333-333333333333'`},
		2: {`delete from rec_full where id = '44444444-4444-4444-8444-444444444444'`},
		3: {`update rec_full set id = '55555555-5555-4555-8555-555555555555' where id = '11111111-1111-4111-8111-111111111111'`},
	}},
	"03-live-replica-full": {during: map[int][]string{
		1: {`insert into rec_rf(id, project_id, title) values ('44444444-4444-4444-8444-444444444444', 'p2', 'fourth')`},
		2: {`update rec_rf set title = 'THIRD', project_id = 'p9' where id = '33333333-3333-4333-8333-333333333333'`},
		3: {`delete from rec_rf where id = '44444444-4444-4444-8444-444444444444'`},
		4: {`update rec_rf set id = '55555555-5555-4555-8555-555555555555' where id = '11111111-1111-4111-8111-111111111111'`},
	}},
	"05-live-sse": {during: map[int][]string{
		0: {
			// The first update changes nothing: it takes a position in the
			// transaction, and is not in the log.
			`update rec_rf set points = points where id = '22222222-2222-4222-8222-222222222222';
			 update rec_rf set points = 2 where id = '55555555-5555-4555-8555-555555555555'`,
			`update rec_rf set title = 'a' where id = '33333333-3333-4333-8333-333333333333';
			 update rec_rf set title = 'b' where id = '33333333-3333-4333-8333-333333333333'`,
		},
	}},
	"08-body-overrides-query": {before: map[int]string{
		0: `create table rec_secret(id int primary key, amount int); insert into rec_secret values (1, 100000)`,
	}},
	"10-rows-move-in-and-out": {during: map[int][]string{
		2: {`update rec_where set project_id = 'p2' where id = '11111111-1111-4111-8111-111111111111'`},
		3: {`update rec_where set project_id = 'p1' where id = '33333333-3333-4333-8333-333333333333'`},
		4: {`update rec_where set title = 'x' where id = '11111111-1111-4111-8111-111111111111';
		     update rec_where set title = 'y' where id = '33333333-3333-4333-8333-333333333333'`},
	}},
	"11-must-refetch": {during: map[int][]string{2: {`truncate rec_trunc`}}},
	"13-many-chunks": {setup: `create table rec_big(id int primary key, pad text);
		insert into rec_big select i, repeat(md5(i::text), 64) from generate_series(1, 12000) as i`},
	"14-partitioned-table": {during: map[int][]string{
		2: {`insert into rec_runs values (2, '2026-02-28T10:00:00Z', 'second')`},
		3: {`update rec_runs set note = 'SECOND' where id = 2`},
		4: {`update rec_runs set created_at = '2026-02-27T10:00:00Z' where id = 2`},
		5: {`delete from rec_runs where id = 1`},
	}},
	"15-odd-names": {during: map[int][]string{
		2: {`insert into s."Odd.Name/2" values ('2', 'second')`},
		3: {`update s."Odd.Name/2" set note = 'SECOND' where id = '2'`},
		4: {`update s."Odd.Name/2" set id = '3/x' where id = '2'`},
	}},
}

// TestRecordings replays every exchange of every recording, in order, on one
// server: the recordings are one history, in which a later file may go on with
// the shapes of an earlier one.
func TestRecordings(t *testing.T) {
	server := electrictest.New(electrictest.Options{Secret: replaySecret, LongPollTimeout: 2 * time.Second})
	web := httptest.NewServer(server)
	defer web.Close()
	defer server.Close()
	files, err := filepath.Glob("testdata/recordings/*.json")
	if err != nil || len(files) != 15 {
		t.Fatalf("want 15 recordings, found %d (%v)", len(files), err)
	}
	r := &replay{
		server: server, url: web.URL, seen: newTranslation(), setUp: make(map[string]bool),
		client: &http.Client{Transport: &http.Transport{DisableCompression: true}},
	}
	defer r.client.CloseIdleConnections()
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if !t.Run(name, func(t *testing.T) { r.file(t, file, name) }) {
			t.Fatal("the recordings after this one rest on it")
		}
	}
}

type replay struct {
	server *electrictest.Server
	url    string
	client *http.Client
	seen   *translation
	setUp  map[string]bool
}

func (r *replay) file(t *testing.T, file, name string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rec recording
	if err := json.Unmarshal(text, &rec); err != nil {
		t.Fatal(err)
	}
	steps := script[name]
	if steps.setup != "" {
		rec.SetupSQL = steps.setup
	}
	if !r.setUp[rec.SetupSQL] {
		r.exec(t, rec.SetupSQL)
		r.setUp[rec.SetupSQL] = true
	}
	for i := range rec.Exchanges {
		e := &rec.Exchanges[i]
		if sql := steps.before[i]; sql != "" {
			r.exec(t, sql)
		}
		t.Run(fmt.Sprintf("%d %s", i, e.Request.Method), func(t *testing.T) { r.exchange(t, e, steps.during[i]) })
	}
}

func (r *replay) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := r.server.Exec(sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// exchange sends a recorded request and compares the answer with the recorded
// one. Where statements are given, they are committed while the request waits.
func (r *replay) exchange(t *testing.T, e *exchange, statements []string) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if statements != nil {
		done := make(chan struct{})
		defer func() { <-done }()
		go func() {
			defer close(done)
			if err := r.server.WaitHeld(ctx, 1); err != nil {
				t.Errorf("the request does not wait: %v", err)
			}
			for _, sql := range statements {
				if _, err := r.server.Exec(sql); err != nil {
					t.Errorf("%s: %v", sql, err)
				}
			}
		}()
	}
	resp, err := r.client.Do(r.request(t, ctx, e))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body []byte
	if wantType(e) == "text/event-stream" && statements != nil {
		body = readEvents(t, resp.Body, strings.Count(bodyText(t, e), "\n\n"))
	} else if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != e.Response.Status {
		t.Fatalf("status %d, want %d: %.300s", resp.StatusCode, e.Response.Status, body)
	}
	r.compareHeaders(t, e, resp)
	r.compareBody(t, e, body)
}

func (r *replay) request(t *testing.T, ctx context.Context, e *exchange) *http.Request {
	query := url.Values{}
	for k, v := range e.Request.Query {
		switch k {
		case "handle":
			v = r.seen.handle(v)
		case "offset":
			v = r.seen.offset(v)
		case "where":
			if v == "(10,000 characters)" {
				v = strings.Repeat("x", 10_000)
			}
		}
		query.Set(k, v)
	}
	if e.Response.Status != http.StatusUnauthorized {
		query.Set("secret", replaySecret)
	}
	var body io.Reader
	if len(e.Request.Body) > 0 {
		text := []byte(e.Request.Body)
		var s string
		if json.Unmarshal(text, &s) == nil {
			text = []byte(s)
		}
		if s == "(8.1 MB of JSON)" {
			text = []byte(`{"where":"` + strings.Repeat("x", 8_100_000) + `"}`)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, e.Request.Method, r.url+e.Request.Path+"?"+query.Encode(), body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range e.Request.Headers {
		if k == "if-none-match" {
			v = r.seen.etag(v)
		}
		req.Header.Set(k, v)
	}
	return req
}

func wantType(e *exchange) string { return e.Response.Headers["content-type"] }

// bodyText is a recorded body that is text.
func bodyText(t *testing.T, e *exchange) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(e.Response.Body, &s); err != nil {
		t.Fatalf("the recorded body is no text: %v", err)
	}
	return s
}

// readEvents reads n events of a stream that stays open.
func readEvents(t *testing.T, body io.Reader, n int) []byte {
	var text []byte
	buf := make([]byte, 4096)
	for bytes.Count(text, []byte("\n\n")) < n {
		k, err := body.Read(buf)
		text = append(text, buf[:k]...)
		if err != nil {
			t.Fatalf("%v after %s", err, text)
		}
	}
	return text
}

// compareHeaders compares all headers, but for those that the recordings leave
// out.
func (r *replay) compareHeaders(t *testing.T, e *exchange, resp *http.Response) {
	want := e.Response.Headers
	got := make(map[string]string)
	for k, v := range resp.Header {
		got[strings.ToLower(k)] = strings.Join(v, ", ")
	}
	if len(resp.TransferEncoding) > 0 {
		got["transfer-encoding"] = strings.Join(resp.TransferEncoding, ", ")
	}
	if resp.Close && got["connection"] == "" {
		got["connection"] = "close"
	}
	_, whole := want["access-control-allow-origin"]
	for k := range got {
		_, recorded := want[k]
		left := k == "date" || k == "x-request-id" || k == "vary" || strings.HasPrefix(k, "access-control-") && !whole
		if !recorded && !left {
			t.Errorf("header %s: %q, want none", k, got[k])
		}
	}
	for k, w := range want {
		g, ok := got[k]
		if k == "content-type" && resp.StatusCode == http.StatusNotModified {
			continue // net/http sends none with a 304: in the package's list
		}
		if !ok {
			t.Errorf("no header %s, want %q", k, w)
			continue
		}
		if err := r.seen.header(k, w, g); err != nil {
			t.Errorf("header %s: %v", k, err)
		}
	}
}

func (r *replay) compareBody(t *testing.T, e *exchange, body []byte) {
	want := e.Response
	switch {
	case want.BodyBytes > 0:
		r.compareLongBody(t, e, body)
	case wantType(e) == "text/event-stream":
		r.compareEvents(t, bodyText(t, e), string(body))
	default:
		var w any
		decodeTest(t, want.Body, &w)
		if text, ok := w.(string); ok {
			if text != string(body) {
				t.Errorf("body %q, want %q", body, text)
			}
			return
		}
		var g any
		decodeTest(t, body, &g)
		if err := r.seen.value("", w, g); err != nil {
			t.Errorf("body: %v\n%s", err, body)
		}
	}
}

// compareLongBody compares a body that the recording cut: its length to the byte,
// its first and last message, and that all between is valid.
func (r *replay) compareLongBody(t *testing.T, e *exchange, body []byte) {
	if len(body) != e.Response.BodyBytes {
		t.Errorf("%d bytes, want %d", len(body), e.Response.BodyBytes)
	}
	if !bytes.HasPrefix(body, []byte(e.Response.BodyHead)) {
		t.Errorf("begins %.200s", body)
	}
	var messages []json.RawMessage
	decodeTest(t, body, &messages)
	tail := e.Response.BodyTail
	if message := strings.LastIndex(tail, `{"headers":{"control"`); message >= 0 {
		var w, g any
		decodeTest(t, []byte(strings.TrimSuffix(tail[message:], "]")), &w)
		decodeTest(t, messages[len(messages)-1], &g)
		if err := r.seen.value("", w, g); err != nil {
			t.Errorf("last message: %v", err)
		}
		tail = tail[:message]
		body = body[:bytes.LastIndex(body, []byte(`{"headers":{"control"`))]
	}
	if !bytes.HasSuffix(body, []byte(tail)) {
		t.Errorf("ends %s", body[len(body)-200:])
	}
}

func (r *replay) compareEvents(t *testing.T, want, got string) {
	w, g := strings.Split(want, "\n\n"), strings.Split(got, "\n\n")
	if len(w) != len(g) {
		t.Fatalf("%d events, want %d: %s", len(g)-1, len(w)-1, got)
	}
	for i := range w {
		var we, ge any
		wd, _ := strings.CutPrefix(w[i], "data: ")
		gd, ok := strings.CutPrefix(g[i], "data: ")
		if wd == "" && gd == "" {
			continue
		}
		if !ok {
			t.Fatalf("event %d: %q", i, g[i])
		}
		decodeTest(t, []byte(wd), &we)
		decodeTest(t, []byte(gd), &ge)
		if err := r.seen.value("", we, ge); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
}

func decodeTest(t *testing.T, text []byte, v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		t.Fatalf("%v in %.300s", err, text)
	}
}
