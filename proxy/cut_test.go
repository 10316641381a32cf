package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/integration/grantcachetest"
	"github.com/shapegate/shapegate/proxy"
)

// A connection may break at any byte of an answer. Whatever of it the client has by then,
// it ends with exactly its rows, at the same replica or at the other one.

// cutter is on the way to a replica. It closes the connection after as many bytes of the
// answer's body as the header Cut-After says.
type cutter struct {
	to     string
	client http.Client
}

const cutAfter = "Cut-After"

// cutting returns the URL of a cutter in front of a replica.
func (d *deployment) cutting(to string) string {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // bytes are counted
	server := httptest.NewServer(&cutter{to: to, client: http.Client{Transport: transport}})
	d.end(func() { server.CloseClientConnections(); server.Close(); transport.CloseIdleConnections() })
	return server.URL
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	left, err := strconv.Atoi(r.Header.Get(cutAfter))
	if err != nil {
		panic(err)
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, c.to+r.URL.RequestURI(), nil)
	if err != nil {
		panic(err)
	}
	out.Header.Set("Authorization", r.Header.Get("Authorization"))
	resp, err := c.client.Do(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer closing(resp.Body)
	resp.Header.Del("Content-Length")
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	flush := http.NewResponseController(w).Flush
	_ = flush()
	buf := make([]byte, 32<<10)
	for left > 0 {
		n, err := resp.Body.Read(buf[:min(left, len(buf))])
		left -= n
		_, _ = w.Write(buf[:n])
		_ = flush()
		if err != nil {
			break
		}
	}
	panic(http.ErrAbortHandler)
}

// follower follows a log as the official client does. It takes a JSON answer whole or not
// at all. It takes handle and offset of an event stream's headers at once, and messages
// when up-to-date ends their batch.
type follower struct {
	d       *deployment
	header  http.Header
	path    string // of the shape
	handle  string
	offset  string
	rows    map[string]string // the values of each row, by id
	sent    []byte            // all bodies, as far as they came
	refetch int               // how often it was answered 409
}

func (d *deployment) follow(person, shape string) *follower {
	f := &follower{d: d, header: d.as(person).header, path: "/v1/shapes/" + shape}
	f.begin()
	return f
}

func (f *follower) begin() { f.handle, f.offset, f.rows = "", "-1", make(map[string]string) }

// clone returns a client that holds the same.
func (f *follower) clone() *follower {
	c := *f
	c.rows, c.sent = maps.Clone(f.rows), nil
	return &c
}

const neverCut = 1 << 30

func (f *follower) get(ctx context.Context, url, live string, cut int) (*http.Response, error) {
	q := live + "offset=" + f.offset
	if f.handle != "" {
		q += "&handle=" + f.handle
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+f.path+"?"+q, nil)
	if err != nil {
		return nil, err
	}
	req.Header = f.header.Clone()
	req.Header.Set("Accept-Encoding", "identity")
	if cut != neverCut {
		req.Header.Set(cutAfter, strconv.Itoa(cut))
	}
	return f.d.client.Do(req)
}

func (f *follower) adopt(h http.Header) {
	f.handle, f.offset = h.Get("Electric-Handle"), h.Get("Electric-Offset")
}

// status takes what a status says. It reports whether there is a body to be read.
func (f *follower) status(resp *http.Response) (ok bool, err error) {
	switch resp.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusConflict:
		f.refetch++
		f.begin()
		return false, nil
	default:
		return false, fmt.Errorf("status %d", resp.StatusCode)
	}
}

// read reads a JSON answer. That it was cut is no error.
func (f *follower) read(ctx context.Context, url string, cut int) error {
	resp, err := f.get(ctx, url, "", cut)
	if err != nil {
		return err
	}
	defer closing(resp.Body)
	if ok, err := f.status(resp); !ok {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	f.sent = append(f.sent, body...)
	var list []message
	if err != nil || json.Unmarshal(body, &list) != nil {
		if cut == neverCut {
			return fmt.Errorf("not a whole answer: %w: %s", err, body)
		}
		return nil
	}
	f.apply(list)
	f.adopt(resp.Header)
	return nil
}

// stream reads an event stream until it ends or until done says so after a batch.
func (f *follower) stream(ctx context.Context, url string, cut int, done func() bool) error {
	resp, err := f.get(ctx, url, sse, cut)
	if err != nil {
		return err
	}
	defer closing(resp.Body)
	if ok, err := f.status(resp); !ok {
		return err
	}
	f.adopt(resp.Header)
	var batch []message
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		f.sent = append(f.sent, line...)
		if err != nil {
			return nil // an event whose end did not come is none
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		// A blank line ends an event.
		end, err := lines.ReadBytes('\n')
		f.sent = append(f.sent, end...)
		if err != nil {
			return nil
		}
		var m message
		if err := json.Unmarshal(data, &m); err != nil {
			return err
		}
		batch = append(batch, m)
		if m.Headers.Control == "up-to-date" {
			f.apply(batch)
			batch, f.offset = nil, m.Headers.LastSeenLSN+"_0"
			if done() {
				return nil
			}
		}
	}
}

func (f *follower) apply(list []message) {
	for _, m := range list {
		switch m.Headers.Operation {
		case "insert":
			f.rows[m.id()] = valuesOf(m)
		case "update":
			if _, ok := f.rows[m.id()]; !ok {
				continue
			}
			var old message
			if err := json.Unmarshal([]byte(f.rows[m.id()]), &old.Value); err != nil {
				panic(err)
			}
			maps.Copy(old.Value, m.Value)
			f.rows[m.id()] = valuesOf(old)
		case "delete":
			delete(f.rows, m.id())
		}
	}
}

// valuesOf spells the values of a row, in the order of their names.
func valuesOf(m message) string {
	b, err := json.Marshal(m.Value)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// isCurrent compares the rows with those of a client that begins at a replica now.
func (f *follower) isCurrent(ctx context.Context, url string) error {
	want := f.clone()
	want.begin()
	if err := want.read(ctx, url, neverCut); err != nil {
		return err
	}
	if !maps.Equal(f.rows, want.rows) {
		return fmt.Errorf("holds %v, want %v", f.rows, want.rows)
	}
	return nil
}

// shortStreams ends streams soon, those that have nothing to say too.
var shortStreams = configured(func(c *proxy.Config) { c.StreamTimeout = 40 * time.Millisecond })

// pair is two replicas.
type pair struct {
	*deployment
	urls      []string
	sentinels []*grantcachetest.Sentinel
}

// twoReplicas starts another replica beside the deployment's own.
func twoReplicas(d *deployment) *pair {
	p := &pair{deployment: d, urls: []string{d.url}, sentinels: []*grantcachetest.Sentinel{d.sentinel}}
	d.replica(nil)
	p.urls, p.sentinels = append(p.urls, d.url), append(p.sentinels, d.sentinel)
	return p
}

// heardBoth returns once both replicas have heard of what was written to SpiceDB.
func (p *pair) heardBoth() {
	p.t.Helper()
	for _, s := range p.sentinels {
		p.check(s.Heard(p.context()))
	}
}

// resyncs are changes after which a client of a shape is sent a resync: rows go, come and
// stay, and the log up to the resync has messages.
var resyncs = []struct {
	shape  string
	change func(*deployment)
}{
	{"documents", func(d *deployment) {
		d.exec("UPDATE documents SET title = 'newer' WHERE id = $1", full("d2"))
		d.grantUnheard(sees("alice", "d3"), sees("alice", "d4"))
		d.revokeUnheard(sees("alice", "d1"))
	}},
	{"tasks", func(d *deployment) {
		d.exec("UPDATE tasks SET project = 'p2', title = 'moved' WHERE id = $1", full("a1"))
		d.exec("INSERT INTO tasks (id, project, title) VALUES ($1, 'p3', 'five'), ($2, 'p1', 'six')", full("a5"), full("a6"))
		d.grantUnheard("project:p3#viewer@user:alice")
		d.revokeUnheard("project:p1#viewer@user:alice")
	}},
	{"mixed", func(d *deployment) {
		d.exec("UPDATE tasks SET project = 'p3', title = 'moved' WHERE id = $1", full("a1"))
		d.exec("DELETE FROM tasks WHERE id = $1", full("a4"))
		d.exec("INSERT INTO tasks (id, project, title) VALUES ($1, 'p3', 'five'), ($2, 'p1', 'six')", full("a5"), full("a6"))
		d.grantUnheard("project:p3#viewer@user:alice", "task:"+full("a6")+"#viewer@user:alice")
		d.revokeUnheard("project:p1#viewer@user:alice")
	}},
}

func TestAJSONResyncThatIsCutAtAnyByteIsMadeUpFor(t *testing.T) {
	for _, r := range resyncs {
		t.Run(r.shape, func(t *testing.T) {
			d := twoReplicas(deploy(t, shortStreams))
			urls := d.urls
			cut, base := d.cutting(urls[0]), d.follow("alice", r.shape)
			d.check(base.read(d.context(), urls[0], neverCut))
			r.change(d.deployment)
			d.heardBoth()
			whole := base.clone()
			d.check(whole.read(d.context(), urls[0], neverCut))
			if whole.handle == base.handle {
				t.Fatalf("no resync: %s", whole.sent)
			}
			d.cutAtEach(cutsOfArray(t, whole.sent), func(ctx context.Context, n int) error {
				f := base.clone()
				if err := f.read(ctx, cut, n); err != nil {
					return err
				}
				return f.comesBack(ctx, urls)
			})
		})
	}
}

func TestAResyncInAStreamThatIsCutAtAnyByteIsMadeUpFor(t *testing.T) {
	for _, r := range resyncs {
		t.Run(r.shape, func(t *testing.T) {
			d := twoReplicas(deploy(t, shortStreams))
			urls := d.urls
			cut, base := d.cutting(urls[0]), d.follow("alice", r.shape)
			d.check(base.read(d.context(), urls[0], neverCut))
			r.change(d.deployment)
			d.heardBoth()
			whole := base.clone()
			d.check(whole.stream(d.context(), urls[0], neverCut, func() bool { return true }))
			if whole.handle == base.handle {
				t.Fatalf("no resync: %s", whole.sent)
			}
			d.cutAtEach(cutsOfStream(whole.sent), func(ctx context.Context, n int) error {
				f := base.clone()
				if err := f.stream(ctx, cut, n, func() bool { return false }); err != nil {
					return err
				}
				return f.comesBack(ctx, urls)
			})
		})
	}
}

// comesBack has copies of a client come back to each replica, in each way, and compares
// their rows.
func (f *follower) comesBack(ctx context.Context, urls []string) error {
	for i, url := range urls {
		for _, live := range []bool{false, true} {
			g := f.clone()
			if live {
				if err := g.stream(ctx, url, neverCut, func() bool { return true }); err != nil {
					return err
				}
				url = urls[1-i]
			}
			if err := g.read(ctx, url, neverCut); err != nil {
				return err
			}
			if g.refetch > 0 {
				return fmt.Errorf("answered 409 at replica %d (stream %v)", i, live)
			}
			if err := g.isCurrent(ctx, url); err != nil {
				return fmt.Errorf("back at replica %d (stream %v): %w\n%s\nthen %s", i, live, err, f.sent, g.sent)
			}
		}
	}
	return nil
}

// The world goes on while a client is away whose resync was cut.
func TestWhatChangesAfterAResyncWasCutIsMadeUpFor(t *testing.T) {
	for _, kind := range []string{"JSON", "stream"} {
		t.Run(kind, func(t *testing.T) {
			d := twoReplicas(deploy(t, shortStreams))
			urls := d.urls
			cut := d.cutting(urls[0])
			ctx := t.Context()
			f := d.follow("alice", "mixed")
			d.check(f.read(ctx, urls[0], neverCut))
			read := func(f *follower, url string, n int) {
				if kind == "JSON" {
					d.check(f.read(ctx, url, n))
				} else {
					d.check(f.stream(ctx, url, n, func() bool { return n == neverCut }))
				}
			}
			projects := []string{"p1", "p2", "p3"}
			for n, title := 0, 0; n < 3000; n += 60 {
				away, comes := projects[n/60%3], projects[(n/60+1)%3]
				for i := range 2 {
					title++
					d.execUnread("UPDATE tasks SET project = $1, title = $2 WHERE id = $3", away, "t"+strconv.Itoa(title), full("a1"))
					d.execUnread("UPDATE tasks SET project = $1, title = $2 WHERE id = $3", comes, "u"+strconv.Itoa(title), full("a"+strconv.Itoa(3+i)))
					d.revokeUnheard("project:" + away + "#viewer@user:alice")
					d.grantUnheard("project:" + comes + "#viewer@user:alice")
					d.heardBoth()
					d.read()
					if i == 0 {
						read(f, cut, n%1500)
					}
					away, comes = comes, away
				}
				back := urls[n/60%2]
				read(f, back, neverCut)
				d.check(f.read(ctx, back, neverCut))
				if err := f.isCurrent(ctx, back); err != nil || f.refetch > 0 {
					t.Fatalf("cut after %d bytes, answered 409 %d times: %v", n%1500, f.refetch, err)
				}
			}
		})
	}
}

// cutAtEach runs a test for each number of bytes.
func (d *deployment) cutAtEach(cuts []int, test func(ctx context.Context, n int) error) {
	d.t.Helper()
	var g errgroup.Group
	g.SetLimit(8)
	ctx := d.context()
	for _, n := range cuts {
		g.Go(func() error {
			if err := test(ctx, n); err != nil {
				return fmt.Errorf("cut after %d bytes: %w", n, err)
			}
			return nil
		})
	}
	d.check(g.Wait())
}

// around returns the bytes to cut at: before, at and after each end of a message, and
// some within each.
func around(ends []int, length int) (cuts []int) {
	const step = 11
	for _, end := range append(ends, 0, length) {
		cuts = append(cuts, end-1, end, end+1)
	}
	for n := 0; n < length; n += step {
		cuts = append(cuts, n)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	return slices.DeleteFunc(cuts, func(n int) bool { return n < 0 || n > length })
}

func cutsOfArray(t *testing.T, body []byte) []int {
	t.Helper()
	var ends []int
	decoder := json.NewDecoder(bytes.NewReader(body))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		var m json.RawMessage
		if err := decoder.Decode(&m); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, int(decoder.InputOffset()))
	}
	return around(ends, len(body))
}

func cutsOfStream(body []byte) []int {
	var ends []int
	for i := range body {
		if strings.HasSuffix(string(body[:i]), "\n\n") {
			ends = append(ends, i)
		}
	}
	return around(ends, len(body))
}
