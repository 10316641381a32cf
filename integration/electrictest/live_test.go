package electrictest_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
)

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
