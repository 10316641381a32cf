package proxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

// reader is a client of the deployment, with or without credentials.
type reader struct {
	d      *deployment
	header http.Header
}

// as is a person with a bearer token.
func (d *deployment) as(person string) reader { return d.asClaiming(person, nil) }

func (d *deployment) asClaiming(person string, claims jwt.MapClaims) reader {
	d.t.Helper()
	return d.anybody().with("Authorization", "Bearer "+d.token(person, claims))
}

// anybody has no credentials.
func (d *deployment) anybody() reader { return reader{d, http.Header{}} }

// with adds a header to what the reader sends.
func (r reader) with(name, value string) reader {
	h := r.header.Clone()
	h.Add(name, value)
	return reader{r.d, h}
}

func (r reader) get(path string) *answer { r.d.t.Helper(); return r.do(http.MethodGet, path, "") }

func (r reader) post(path, body string) *answer {
	r.d.t.Helper()
	return r.do(http.MethodPost, path, body)
}

// do sends a request and reads all of its answer.
func (r reader) do(method, path, body string) *answer {
	r.d.t.Helper()
	return r.answer(r.send(r.d.context(), method, path, body))
}

func (r reader) send(ctx context.Context, method, path, body string) (*http.Response, error) {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.d.url+path, content)
	if err != nil {
		return nil, err
	}
	req.Header = r.header.Clone()
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return r.d.client.Do(req)
}

// answer reads an answer. That it could not be had is part of it: see cut.
func (r reader) answer(resp *http.Response, err error) *answer {
	a := &answer{t: r.d.t, d: r.d, err: err}
	if err != nil {
		return a
	}
	defer closing(resp.Body)
	a.status, a.header = resp.StatusCode, resp.Header
	a.body, a.err = io.ReadAll(resp.Body)
	a.tellsNoSecrets()
	return a
}

func closing(c io.Closer) { _ = c.Close() } // what was read is what counts

// held is a request that is under way.
type held struct {
	t    *testing.T
	done chan *answer
}

// hold sends a request that is expected to wait, and goes on.
func (r reader) hold(path string) *held {
	h := &held{r.d.t, make(chan *answer, 1)}
	ctx := r.d.context()
	go func() { h.done <- r.answer(r.send(ctx, http.MethodGet, path, "")) }()
	return h
}

// answer waits for the answer.
func (h *held) answer() *answer { return <-h.done }

// waits makes sure that there is no answer yet.
func (h *held) waits() {
	h.t.Helper()
	select {
	case a := <-h.done:
		h.t.Fatalf("it was answered: status %d: %s", a.status, a.body)
	default:
	}
}

// answer is what came of a request.
type answer struct {
	t      *testing.T
	d      *deployment
	status int
	header http.Header
	body   []byte
	err    error // the answer broke off, or never began
}

// tellsNoSecrets holds every answer of every test to what none may hold.
func (a *answer) tellsNoSecrets() {
	text := string(a.body) + fmt.Sprint(a.header)
	for _, secret := range []string{hush, electricSecret, a.d.electricURL, string(jwtSecret), string(handleSecret)} {
		if strings.Contains(text, strings.TrimPrefix(secret, "http://")) {
			a.t.Errorf("an answer has %q: %s", secret, text)
		}
	}
}

// is makes sure of the status.
func (a *answer) is(status int) *answer {
	a.t.Helper()
	if a.err != nil {
		a.t.Fatalf("no answer: %v (status %d: %s)", a.err, a.status, a.body)
	}
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// refused makes sure of a problem's status, of the field it names, and of its
// form.
func (a *answer) refused(status int, field string) {
	a.t.Helper()
	a.is(status)
	var problem struct{ Error, Message, Field string }
	if err := json.Unmarshal(a.body, &problem); err != nil || problem.Error == "" || problem.Message == "" {
		a.t.Fatalf("not a problem: %s", a.body)
	}
	if problem.Field != field {
		a.t.Errorf("status %d names the field %q, want %q: %s", a.status, problem.Field, field, a.body)
	}
	for name := range a.header {
		if strings.HasPrefix(name, "Electric-") {
			a.t.Errorf("a problem has the header %s", name)
		}
	}
}

// cut makes sure that the answer cannot be taken for a whole one.
func (a *answer) cut() {
	a.t.Helper()
	if a.err == nil {
		a.t.Fatalf("a whole answer: status %d, %d bytes: %.200s", a.status, len(a.body), a.body)
	}
}

// mustRefetch makes sure of a 409, with a handle that none of the given answers
// had.
func (a *answer) mustRefetch(before ...*answer) *answer {
	a.t.Helper()
	a.is(http.StatusConflict)
	if got := string(a.body); got != `[{"headers":{"control":"must-refetch"}}]` {
		a.t.Errorf("a 409 says %s", got)
	}
	if a.handle() == "" {
		a.t.Error("a 409 without a handle")
	}
	for _, b := range before {
		if a.handle() == b.handle() {
			a.t.Errorf("a 409 names the handle %s again", a.handle())
		}
	}
	return a
}

func (a *answer) handle() string { return a.header.Get("Electric-Handle") }
func (a *answer) offset() string { return a.header.Get("Electric-Offset") }
func (a *answer) cursor() string { return a.header.Get("Electric-Cursor") }

func (a *answer) upToDate() bool {
	_, ok := a.header["Electric-Up-To-Date"]
	return ok
}

// onward is the query that reads on from here.
func (a *answer) onward() string {
	a.t.Helper()
	if a.handle() == "" || a.offset() == "" {
		a.t.Fatalf("an answer without handle or offset: status %d: %s", a.status, a.body)
	}
	return "handle=" + a.handle() + "&offset=" + a.offset()
}

// message is one message of a log, or one row of a subset.
type message struct {
	Key      string
	Value    map[string]*string
	OldValue map[string]*string `json:"old_value"`
	Headers  struct {
		Operation     string
		Control       string
		LSN           string
		TXIDs         []int64
		XMin, XMax    any
		XIPList       []any  `json:"xip_list"`
		LastSeenLSN   string `json:"global_last_seen_lsn"`
		KeyChangeTo   string `json:"key_change_to"`
		KeyChangeFrom string `json:"key_change_from"`
	}
}

// String is the message in short: "insert d1", "update d1 title=x", "delete d1",
// "up-to-date".
func (m message) String() string {
	if m.Headers.Control != "" {
		return m.Headers.Control
	}
	words := []string{m.Headers.Operation, m.id()}
	if m.Headers.Operation == "update" {
		for _, name := range []string{"project", "title", "role", "body", "edit", "share"} {
			if v, ok := m.Value[name]; ok {
				words = append(words, name+"="+textOf(v))
			}
		}
	}
	return strings.Join(words, " ")
}

func (m message) id() string {
	if id, ok := m.Value["id"]; ok {
		return short(textOf(id))
	}
	return textOf(m.Value["project"]) + "/" + textOf(m.Value["person"])
}

func textOf(v *string) string {
	if v == nil {
		return "NULL"
	}
	return *v
}

// messages decodes the answer's log.
func (a *answer) messages() (list []message) {
	a.t.Helper()
	a.is(http.StatusOK)
	if err := json.Unmarshal(a.body, &list); err != nil {
		a.t.Fatalf("not a log: %v: %s", err, a.body)
	}
	return list
}

// says makes sure of the messages of a log, in short.
func (a *answer) says(want ...string) *answer {
	a.t.Helper()
	equal(a.t, inShort(a.messages()), want)
	return a
}

func inShort(list []message) []string {
	texts := make([]string, len(list))
	for i, m := range list {
		texts[i] = m.String()
	}
	return texts
}

// subset is the answer to a request for a subset.
type subsetAnswer struct {
	Data     []message
	Metadata map[string]any
}

func (a *answer) subset() (s subsetAnswer) {
	a.t.Helper()
	a.is(http.StatusOK)
	if err := json.Unmarshal(a.body, &s); err != nil || s.Metadata == nil {
		a.t.Fatalf("not a subset: %v: %s", err, a.body)
	}
	return s
}

// ids returns the ids of the rows that the answer inserts: of a log or a subset.
func (a *answer) ids() []string {
	a.t.Helper()
	var list []message
	if a.header.Get("Electric-Snapshot") == "true" {
		list = a.subset().Data
	} else {
		list = a.messages()
	}
	ids := []string{}
	for _, m := range list {
		if m.Headers.Operation == "insert" {
			ids = append(ids, m.id())
		}
	}
	return ids
}

// holds makes sure that the answer inserts exactly these rows, in any order.
func (a *answer) holds(want ...string) *answer {
	a.t.Helper()
	got := a.ids()
	slices.Sort(got)
	want = append([]string{}, want...)
	slices.Sort(want)
	equal(a.t, got, want)
	return a
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
}

// query is a query string of names and values.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q.Encode()
}

// stream is an event stream that is being read, as the official client reads one: it
// adopts handle and offset of the headers at once, and of each up-to-date message the
// LSN. When a stream ends, batch opens the next one.
type stream struct {
	t      *testing.T
	who    reader
	path   string // of the shape, up to the query
	header http.Header
	lsn    string      // of the last up-to-date message of this connection
	events chan string // without their blank line; closed at the end
	cut    error       // set before events is closed, unless the end was clean
}

// onward is the query that reads on from here.
func (s *stream) onward() string {
	offset := s.header.Get("Electric-Offset")
	if s.lsn != "" {
		offset = s.lsn + "_0"
	}
	return "handle=" + s.header.Get("Electric-Handle") + "&offset=" + offset
}

// adopted is onward for a client that got the headers of this connection and nothing else.
func (s *stream) adopted() string {
	return "handle=" + s.header.Get("Electric-Handle") + "&offset=" + s.header.Get("Electric-Offset")
}

// reopen opens the next stream where this one has ended.
func (s *stream) reopen() {
	s.t.Helper()
	next := s.who.stream(s.path + "live=true&live_sse=true&" + s.onward())
	s.header, s.lsn, s.events, s.cut = next.header, "", next.events, nil
}

// stream opens an event stream.
func (r reader) stream(path string) *stream {
	r.d.t.Helper()
	ctx, cancel := context.WithTimeout(r.d.t.Context(), deadline)
	resp, err := r.send(ctx, http.MethodGet, path, "")
	if err != nil {
		cancel()
		r.d.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		defer cancel()
		r.answer(resp, nil).is(http.StatusOK)
	}
	before, _, _ := strings.Cut(path, "?")
	s := &stream{t: r.d.t, who: r, path: before + "?", header: resp.Header, events: make(chan string, 64)}
	events := s.events
	ended := make(chan struct{})
	r.d.end(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		defer close(events)
		defer closing(resp.Body)
		lines := bufio.NewReader(resp.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				if err != io.EOF {
					s.cut = err
				}
				return
			}
			if line = strings.TrimSuffix(line, "\n"); line != "" {
				events <- line
			}
		}
	}()
	return s
}

// next waits for an event, as it was written.
func (s *stream) next() string {
	s.t.Helper()
	event, ok := <-s.events
	if !ok {
		s.t.Fatalf("the stream has ended (%v)", s.cut)
	}
	return event
}

// batch waits for the messages up to the next up-to-date, of this stream or of the next.
func (s *stream) batch() (list []message) {
	s.t.Helper()
	for {
		event, ok := <-s.events
		if !ok {
			if s.cut != nil {
				s.t.Fatalf("the stream was cut: %v", s.cut)
			}
			s.reopen()
			continue
		}
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok {
			continue // a comment
		}
		var m message
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			s.t.Fatalf("an event that is no message: %s", data)
		}
		list = append(list, m)
		if m.Headers.Control == "up-to-date" {
			s.lsn = m.Headers.LastSeenLSN
			return list
		}
	}
}

// says makes sure of the next batch that has more than an up-to-date message, in short:
// a stream that ends may say how far it has come.
func (s *stream) says(want ...string) []message {
	s.t.Helper()
	list := s.batch()
	for len(want) > 1 && len(list) == 1 {
		list = s.batch()
	}
	equal(s.t, inShort(list), want)
	return list
}

// ends waits for a clean end, and returns what came before it.
func (s *stream) ends() (rest []string) {
	s.t.Helper()
	for event := range s.events {
		rest = append(rest, event)
	}
	if s.cut != nil {
		s.t.Fatalf("the stream was cut: %v", s.cut)
	}
	return rest
}
