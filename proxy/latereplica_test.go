package proxy_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/proxy"
)

// heldWatch is an engine whose watch brings nothing while it is held, nor does a lookup: what
// was asked a moment ago is asked once more in the background.
type heldWatch struct {
	authz.Engine
	mu sync.Mutex
}

func (h *heldWatch) Watch(ctx context.Context, after authz.ZedToken, yield func(authz.WatchEvent)) error {
	return h.Engine.Watch(ctx, after, func(e authz.WatchEvent) {
		h.mu.Lock()
		defer h.mu.Unlock()
		yield(e)
	})
}

func (h *heldWatch) LookupResources(ctx context.Context, l authz.Lookup, yield func(string)) (authz.ZedToken, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Engine.LookupResources(ctx, l, yield)
}

// A replica that hears of a revocation late decides with the grants of before. The other
// one has heard of it already: what was written until the grant was given back is not
// sent by it, though the handle is newer than what it heard.
func TestAGrantThatALateReplicaDidNotSeeGoIsInterruptedAtTheOther(t *testing.T) {
	d := deploy(t)
	inTime, heard := d.url, d.sentinel
	held := &heldWatch{Engine: d.engine}
	d.replica(func(c *proxy.Config) {
		c.Authorizer = d.runCache(func(c *grantcache.Config) { c.Engine, c.MaxStaleness = held, time.Minute })
	})
	late := d.url
	f := d.follow("alice", "documents")
	for _, url := range []string{inTime, late} { // so that both watch her grants
		d.check(f.clone().read(d.context(), url, neverCut))
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	d.revokeUnheard(sees("alice", "d1"))
	d.check(heard.Heard(d.context()))
	d.check(f.read(d.context(), late, neverCut)) // as fresh as the bound has it
	if f.rows["d1"] == "" {
		t.Fatal("the late replica is not late")
	}
	d.execUnread("UPDATE documents SET title = 'a draft' WHERE id = $1", full("d1"))
	d.execUnread("UPDATE documents SET title = 'clean' WHERE id = $1", full("d1"))
	d.read()
	d.grantUnheard(sees("alice", "d1"))
	d.check(heard.Heard(d.context()))
	d.check(f.read(d.context(), inTime, neverCut))
	if strings.Contains(string(f.sent), "draft") || !strings.Contains(f.rows["d1"], "clean") {
		t.Errorf("holds %v after %s", f.rows, f.sent)
	}
}
