package cdn_test

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz/spicedb"
)

var (
	asset  = "/assets/"
	theURL = "GET /v1/shapes/documents?offset=-1"
)

// reads are the ways to ask for the same rows by one URL.
var reads = []string{
	theURL,
	"GET /v1/shape?table=documents&offset=-1",
	"GET /v1/shapes/documents?subset__where=true",
	"POST /v1/shapes/documents {\"where\":\"true\"}",
	"HEAD /v1/shapes/documents?offset=-1",
	"GET /v1/shapes/documents?offset=now",
	"OPTIONS /v1/shapes/documents",
}

// The cache works: a file of the page is kept, and nothing else is.
func TestNginxKeepsThePagesFiles(t *testing.T) {
	f := newWorld(t).nginx()
	page := f.ask(nobody, "GET /").is(http.StatusOK)
	_, rest, _ := strings.Cut(page.body, `src="`+asset)
	name, _, _ := strings.Cut(rest, `"`)
	for i, want := range []string{"MISS", "HIT"} {
		if got := f.ask(nobody, "GET "+asset+name).is(http.StatusOK).header.Get("X-Cache"); got != want {
			t.Errorf("%d: X-Cache: %s, want %s", i, got, want)
		}
	}
	read := f.open(bearer(t, "alice"), theURL)
	check(t, read.Body.Close())
	if read.StatusCode != http.StatusOK || read.Proto != "HTTP/2.0" {
		t.Errorf("%s over %s", read.Status, read.Proto)
	}
	kept := f.keeps()
	if !slices.ContainsFunc(kept, func(key string) bool { return strings.HasSuffix(key, asset+name) }) {
		t.Errorf("%s is not kept: %q", name, kept)
	}
	nothingOfShapegate(t, f)
}

func nothingOfShapegate(t *testing.T, f *front) {
	t.Helper()
	for _, key := range f.keeps() {
		if strings.Contains(key, "/v1/") {
			t.Errorf("nginx has kept %s", key)
		}
	}
}

// The same URL, asked by one person after the other: each has what shapegate itself answers.
func TestNobodyGetsTheAnswerOfAnother(t *testing.T) {
	w := newWorld(t)
	f := w.nginx()
	for name, known := range map[string]func(person string) credentials{
		"JWTs":            func(person string) credentials { return bearer(t, person) },
		"session tokens":  f.sessionToken,
		"session cookies": f.sessionCookie,
	} {
		t.Run(name, func(t *testing.T) {
			for _, request := range append(reads, "GET /v1/session") {
				for _, person := range []string{"alice", "bob", "alice", "", "mallory", "carol", "bob"} {
					who := nobody
					if person != "" {
						who = known(person) // another token each time
					}
					got, want := f.ask(who, request), w.direct().ask(who, request)
					if got.fromCache() {
						t.Errorf("%s as %q: of nginx' cache", request, person)
					}
					if got.status != want.status || !cmp.Equal(got.titles(), want.titles()) {
						t.Errorf("%s as %q: %d %q, and shapegate itself answers %d %q", request, person, got.status, got.titles(), want.status, want.titles())
					}
					if session := "user:" + person; request == "GET /v1/session" && got.status == http.StatusOK && !strings.Contains(got.body, session) {
						t.Errorf("%s as %q: %s", request, person, got.body)
					}
				}
			}
		})
	}
	// They do not see the same, or all this would show nothing.
	alice, bob := f.ask(bearer(t, "alice"), theURL).titles(), f.ask(bearer(t, "bob"), theURL).titles()
	if len(alice) == 0 || len(bob) == 0 || cmp.Equal(alice, bob) {
		t.Errorf("alice sees %q, bob %q", alice, bob)
	}
	nothingOfShapegate(t, f)
}

// coalescing makes nginx send one request for many that are the same. Since no answer may be
// kept, each waits for nothing, until the time is over.
var coalescing = []string{"proxy_read_timeout 75s;", "proxy_read_timeout 75s; proxy_cache_lock on; proxy_cache_lock_timeout 200ms; proxy_cache_methods GET HEAD POST;"}

func TestNobodyGetsTheAnswerOfAnotherWhenRequestsAreCoalesced(t *testing.T) {
	w := newWorld(t)
	f := w.nginx(coalescing...)
	want := map[string][]string{}
	for _, person := range []string{"alice", "bob"} {
		want[person] = w.direct().ask(bearer(t, person), theURL).titles()
	}
	for _, request := range reads[:4] {
		var all sync.WaitGroup
		for range 8 {
			for person, titles := range want {
				who := bearer(t, person)
				all.Go(func() {
					if got := f.ask(who, request); !cmp.Equal(got.titles(), titles) || got.fromCache() {
						t.Errorf("%s as %s: %q, X-Cache: %s", request, person, got.titles(), got.header.Get("X-Cache"))
					}
				})
			}
		}
		all.Wait()
	}
	nothingOfShapegate(t, f)
}

// A long-poll comes back when something changes, and to those alone who may see it.
func TestLongPollsGoThrough(t *testing.T) {
	w := newWorld(t)
	f := w.nginx()
	bob := bearer(t, "bob")
	at := f.ask(bob, theURL).is(http.StatusOK).onward()
	var got *answer
	var asked sync.WaitGroup
	asked.Go(func() { got = f.ask(bob, "GET /v1/shapes/documents?live=true&"+at) })
	w.write(spicedb.Touch, "document:d0c00000-0000-4000-8000-000000000007#viewer@user:bob")
	if asked.Wait(); t.Failed() {
		return
	}
	if a := got.is(http.StatusOK); !slices.Equal(a.titles(), []string{"Comet pitch"}) || a.fromCache() {
		t.Errorf("%q, X-Cache: %s", a.titles(), a.header.Get("X-Cache"))
	}
	nothingOfShapegate(t, f)
}

// What is sent in an event stream is here while the stream is still open, and before its
// first comment, which comes after 21 seconds of silence.
func TestEventStreamsAreNotBuffered(t *testing.T) {
	w := newWorld(t)
	f := w.nginx()
	carol := bearer(t, "carol") // sees everything, and so has one stream
	at := f.ask(carol, theURL).is(http.StatusOK).onward()
	change := func(title string) {
		_, err := w.tables.Exec("UPDATE documents SET title = '" + title + "' WHERE project_id = 'comet'")
		check(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	change("Before the stream") // over HTTP/2 nginx sends the headers with the first event
	stream := f.open(carol, "GET /v1/shapes/documents?live=true&live_sse=true&"+at)
	stop := context.AfterFunc(ctx, func() { _ = stream.Body.Close() })
	defer stop()
	defer func() { _ = stream.Body.Close() }()
	lines := bufio.NewScanner(stream.Body)
	await := func(title string) {
		for lines.Scan() {
			if strings.Contains(lines.Text(), title) {
				return
			}
		}
		t.Fatalf("%s did not come: %v, %v", title, lines.Err(), ctx.Err())
	}
	await("Before the stream")
	change("In the stream")
	await("In the stream")
}

// After signing out, the same request with the same cookie or token has nothing.
func TestNothingIsLeftAfterSigningOut(t *testing.T) {
	w := newWorld(t)
	f := w.nginx()
	for _, who := range []credentials{f.sessionCookie("alice"), f.sessionToken("alice")} {
		for _, request := range reads[:4] {
			if len(f.ask(who, request).is(http.StatusOK).titles()) == 0 {
				t.Errorf("%s: alice sees nothing", request)
			}
		}
		f.ask(who, "DELETE /v1/session").is(http.StatusNoContent)
		for _, request := range reads[:5] {
			f.ask(who, request).is(http.StatusUnauthorized)
		}
	}
	nothingOfShapegate(t, f)
}

const bobsProject = "project:borealis#viewer@user:bob"

// freshness is the header by which an answer has seen a write.
const freshness = "Shapegate-At-Least-As-Fresh"

func TestNothingIsLeftAfterARevocation(t *testing.T) {
	w := newWorld(t)
	f := w.nginx()
	bob := bearer(t, "bob")
	for _, request := range reads[:4] {
		if len(f.ask(bob, request).is(http.StatusOK).titles()) == 0 {
			t.Errorf("%s: bob sees nothing", request)
		}
	}
	f.ask(bob, theURL, freshness, w.write(spicedb.Delete, bobsProject)).is(http.StatusOK)
	for _, request := range reads[:4] {
		if got := f.ask(bob, request).is(http.StatusOK).titles(); len(got) > 0 {
			t.Errorf("%s: bob still sees %q", request, got)
		}
	}
	nothingOfShapegate(t, f)
}

// While shapegate is away, nobody is given what it answered before.
func TestNothingIsAnsweredInPlaceOfAShapegateThatIsAway(t *testing.T) {
	w := newWorld(t)
	f := w.nginx()
	alice := bearer(t, "alice")
	f.ask(alice, theURL).is(http.StatusOK)
	w.gate.CloseClientConnections()
	w.gate.Close()
	if got := f.ask(alice, theURL).is(http.StatusBadGateway); len(got.titles()) > 0 {
		t.Errorf("%q", got.titles())
	}
}
