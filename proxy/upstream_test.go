package proxy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
)

// asked is a request that Electric was sent.
type asked struct {
	method string
	query  url.Values
	body   []byte
}

func (a asked) live() bool     { return a.query.Get("live") == "true" }
func (a asked) isSubset() bool { return a.method == http.MethodPost }

// subset decodes the body of a subset request.
func (a asked) subset(t *testing.T) (s struct {
	Where   string
	Params  map[string]string
	OrderBy string `json:"order_by"`
	Limit   *int64
	Offset  *int64
}) {
	t.Helper()
	if err := json.Unmarshal(a.body, &s); err != nil {
		t.Fatalf("a subset's body is not JSON: %v", err)
	}
	return s
}

// upstream stands at Electric's door: it notes what Electric is asked, and may
// make it fail.
type upstream struct {
	mu      sync.Mutex
	all     []asked
	changed chan struct{} // closed, and replaced, when a request comes
	fail    func(asked) error
}

func newUpstream() *upstream { return &upstream{changed: make(chan struct{})} }

// intercept is for electrictest.Server.Intercept.
func (u *upstream) intercept(r *http.Request, body []byte) error {
	a := asked{r.Method, r.URL.Query(), body}
	u.mu.Lock()
	u.all = append(u.all, a)
	close(u.changed)
	u.changed = make(chan struct{})
	fail := u.fail
	u.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(a)
}

// failing makes Electric do with each request what f says. f may block.
func (u *upstream) failing(f func(asked) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fail = f
}

// answering makes Electric answer the requests that match with a fault.
func (u *upstream) answering(match func(asked) bool, fault *electrictest.Fault) {
	u.failing(func(a asked) error {
		if match(a) {
			return fault
		}
		return nil
	})
}

func (u *upstream) away()   { u.answering(anything, &electrictest.Fault{}) }
func (u *upstream) back()   { u.failing(nil) }
func anything(asked) bool   { return true }
func subsets(a asked) bool  { return a.isSubset() }
func logReads(a asked) bool { return !a.isSubset() }
func notNow(a asked) bool   { return logReads(a) && a.query.Get("offset") != "now" }

// forget returns what was asked so far, and begins anew.
func (u *upstream) forget() []asked {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.all
	u.all = nil
	return all
}

func (u *upstream) requests() []asked {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.all)
}

// byReaders are the requests that were made for a reader's, and not those by which
// feeds follow their logs, which come when they come.
func (u *upstream) byReaders() []asked {
	return slices.DeleteFunc(u.requests(), asked.live)
}

// await returns once n of the requests match.
func (u *upstream) await(ctx context.Context, t *testing.T, n int, match func(asked) bool) {
	t.Helper()
	for {
		u.mu.Lock()
		count, changed := 0, u.changed
		for _, a := range u.all {
			if match(a) {
				count++
			}
		}
		u.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("Electric was sent %d such requests, not %d", count, n)
		}
	}
}

// badRequest is how Electric refuses what it never gave out.
func badRequest() *electrictest.Fault {
	return &electrictest.Fault{Status: http.StatusBadRequest, Body: `{"message":"Invalid request","errors":{"offset":["out of bounds for this shape"]}}`}
}
