package proxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy"
)

func TestASubjectsFirstReadsDoNotDelayOtherSubjects(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) {
		c.Limits = proxy.Limits{Rate: 1e6, Burst: 1e6, Concurrent: 2, Reads: 3}
	}))
	alice, bob := d.as("alice"), d.as("bob")
	alice.get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
	bob.get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
	release := make(chan struct{})
	arrived := make(chan struct{}, 100)
	d.upstream.failing(func(a asked) error {
		if a.isSubset() && strings.Contains(string(a.body), full("d1")) {
			arrived <- struct{}{}
			<-release
		}
		return nil
	})
	var held []*held
	for i := range 8 { // of other rows each, or they would share an answer
		where := url.QueryEscape(fmt.Sprintf("title <> 'no %d'", i))
		held = append(held, alice.hold("/v1/shapes/documents?offset=-1&where="+where))
	}
	<-arrived
	<-arrived
	bob.get("/v1/shapes/documents?offset=-1").holds("d3")
	if n := len(arrived); n > 0 {
		t.Errorf("Electric has %d more first reads of one subject than it may", n)
	}
	close(release)
	for _, h := range held {
		h.answer().holds("d1", "d2")
	}
}

// A snapshot that requests share is for them: it ends at Electric when the last of them has
// gone away. Else whoever asks and goes away would fill the line to Electric.
func TestASharedSnapshotEndsWithThoseWhoWaitForIt(t *testing.T) {
	d := deploy(t, configured(func(c *proxy.Config) { c.Limits = proxy.Limits{Rate: 1e6, Burst: 1e6, Reads: 1} }))
	alice, bob := d.as("alice"), d.as("bob")
	alice.get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
	bob.get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
	d.upstream.forget()
	release := make(chan struct{})
	defer close(release)
	d.upstream.failing(func(a asked) error {
		if a.isSubset() && strings.Contains(string(a.body), full("d1")) {
			<-release
		}
		return nil
	})
	ask := func() (leave func()) {
		ctx, cancel := context.WithCancel(d.context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			alice.answer(alice.send(ctx, http.MethodGet, "/v1/shapes/documents?offset=-1", ""))
		}()
		return func() { cancel(); <-gone }
	}
	first := ask()
	d.upstream.await(d.context(), t, 1, subsets)
	second := ask()
	d.await(func() bool { return d.metric("shapegate_shared_snapshot_requests") == 1 })
	first()
	d.upstream.await(d.context(), t, 2, subsets)
	second()
	bob.get("/v1/shapes/documents?offset=-1").holds("d3")
}
