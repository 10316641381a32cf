package electrictest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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
