package proxy_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/integration/cachingpage"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/openapitest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
)

var cachingPage = sync.OnceValues(func() (*cachingpage.Table, error) {
	return cachingpage.Load("CACHING.md", "What clients and servers in front are answered")
})

// checkCaching holds the headers of each answer of these tests to CACHING.md.
func (d *deployment) checkCaching(answer string, header http.Header) {
	if gateways := http.CanonicalHeaderKey(d.config.TokenSources.Header); gateways != "" {
		vary := header.Get("Vary")
		if !strings.Contains(vary, gateways) && !strings.Contains(answer, "/.well-known/") {
			d.t.Errorf("%s: Vary does not name %s: %q", answer, gateways, vary)
		}
		header = header.Clone()
		header.Set("Vary", strings.Replace(vary, gateways+", ", "", 1)) // which the page says once for all
	}
	table, err := cachingPage()
	if err == nil {
		err = table.Check(answer, header)
	}
	if err != nil {
		d.t.Error("CACHING.md:", err)
	}
}

// The page has each answer of each route, and no other. TestEachAnswerOfOpenAPIIsGiven gets
// each of them, and so holds its headers to the page.
func TestCACHINGHasEachAnswer(t *testing.T) {
	table, err := cachingPage()
	if err != nil {
		t.Fatal(err)
	}
	file, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(withoutMedia(append(file.Answers(openapitest.Public), file.Answers(openapitest.ForwardAuth)...)), table.Answers()); diff != "" {
		t.Errorf("(-openapi.yaml +CACHING.md)\n%s", diff)
	}
}

// withoutMedia names answers by method, path and status alone.
func withoutMedia(answers []string) (all []string) {
	for _, answer := range answers {
		all = append(all, strings.Join(strings.Fields(answer)[:3], " "))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// toCaches is what an answer may say to the caches between Electric and its reader.
var toCaches = http.Header{
	"Cache-Control":                {"public, max-age=604800, s-maxage=3600, stale-while-revalidate=2629746, stale-if-error=86400"},
	"Cdn-Cache-Control":            {"public, max-age=3600"},
	"Cloudflare-Cdn-Cache-Control": {"max-age=3600"},
	"Surrogate-Control":            {"max-age=3600"},
	"Surrogate-Key":                {"documents"},
	"Cache-Tag":                    {"documents"},
	"Expires":                      {"Thu, 01 Jan 2099 00:00:00 GMT"},
	"Last-Modified":                {"Thu, 01 Jan 2026 00:00:00 GMT"},
	"Age":                          {"7"},
	"Etag":                         {`"from-electric"`},
	"Pragma":                       {"cache"},
	"X-Accel-Expires":              {"3600"},
	"Vary":                         {"Nothing"},
	"Set-Cookie":                   {"electric=1"},
}

// Whatever Electric, or a cache in front of it, says to caches: nothing of it gets through, in
// no kind of answer. Each is held to the page by the deployment's client.
func TestNothingThatElectricSaysToCachesGetsThrough(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.LongPollTimeout = 50 * time.Millisecond }))
	said := &atomic.Int64{}
	d.replica(func(c *proxy.Config) {
		var err error
		c.Electric, err = electric.NewClient(electric.Config{URL: d.electricURL, Secret: electricSecret, Transport: talkative{d.transport(), said}})
		d.check(err)
	})
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1").is(http.StatusOK).onward()
	eachRead(func(do read) {
		do(alice, "documents", "offset=-1", "")            // a first read
		do(alice, "board", "offset=-1", "")                // of a whole table
		do(alice, "documents", at, "")                     // a catch-up
		do(alice, "documents", "live=true&"+at, "")        // a long-poll
		do(alice, "documents", sse+at, "")                 // an event stream
		do(alice, "documents", "offset=now", "")           // a position
		do(alice, "documents", "subset__where=true", "")   // a subset
		do(alice, "documents", "offset=0_0&handle=x", "")  // must-refetch
		do(alice, "documents", "subset__where=nope=1", "") // a refusal
	})
	if said.Load() == 0 {
		t.Fatal("nothing was asked of Electric")
	}
	d.upstream.answering(anything, badRequest())
	d.as("bob").get("/v1/shapes/documents?offset=-1").is(http.StatusBadGateway)
	d.upstream.answering(anything, &electrictest.Fault{Status: http.StatusServiceUnavailable})
	d.as("bob").get("/v1/shapes/documents?offset=-1").is(http.StatusServiceUnavailable)
}

// talkative says all of it in each answer, and counts them.
type talkative struct {
	next http.RoundTripper
	said *atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (s talkative) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err == nil {
		s.said.Add(1)
		maps.Copy(resp.Header, toCaches)
	}
	return resp, err
}

// A client cannot have an answer that it holds confirmed: each is whole, and decided anew.
func TestNoAnswerIsNotModified(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1").onward()
	for _, path := range []string{"/v1/shapes/documents?offset=-1", "/v1/shapes/documents?" + at, "/v1/shapes/board?offset=-1", "/v1/shapes/documents?subset__where=true"} {
		for name, value := range map[string]string{
			"If-None-Match": "*", "If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT", "Range": "bytes=0-1", "Cache-Control": "only-if-cached",
		} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				alice.with(name, value).do(method, path, "").is(http.StatusOK)
			}
		}
	}
}
