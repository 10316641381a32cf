package proxy_test

import (
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
