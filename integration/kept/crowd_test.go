package kept_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/grantcachetest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

const crowdSchema = `
definition user {}
definition project {
	relation member: user
	permission view = member
}
definition document {
	relation project: project
	relation viewer: user
	permission view = viewer + project->view
}
definition shapegate_canary {
	relation beat: shapegate_canary
}
`

// One document that is created in a project with many people waiting who may see it costs
// at most three calls, and all of them are woken. SHAPEGATE_KEPT_PEOPLE says how many; the
// in-memory datastore takes long for the first lookups of 10,000.
func TestADocumentForManyCostsThreeCalls(t *testing.T) {
	people, err := strconv.Atoi(cmp.Or(os.Getenv("SHAPEGATE_KEPT_PEOPLE"), "300"))
	check(t, err)
	var relationships []string
	for i := range people {
		relationships = append(relationships, fmt.Sprintf("project:p1#member@user:u%d", i))
	}
	relationships = append(relationships, "document:d0#project@project:p1")
	server := spicedbtest.Start(t, spicedbtest.Config{Schema: crowdSchema, Relationships: relationships})
	client, err := spicedb.Dial(spicedb.Config{
		Endpoint: "spicedb", Token: server.Token(), Insecure: true, Dialer: server.DialContext,
		Logger: slog.New(slog.DiscardHandler), Timeout: 20 * time.Second, LookupTimeout: time.Minute,
	})
	check(t, err)
	defer func() { _ = client.Close() }()
	cache := grantcachetest.Start(t, grantcache.Config{
		Engine: client, Key: authz.NewFingerprintKey([]byte("the secret of the tests of kept grants")),
		MaxStaleness: time.Minute, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // which only ends tests that have failed
	defer cancel()
	sentinel, err := cache.Sentinel(ctx, grantcachetest.Post{ResourceType: "document", Relation: "viewer", Permission: "view", Touch: server.Touch})
	check(t, err)

	readers := subscribeCrowd(ctx, t, cache, people)
	calls := func() int { return asked(server) }
	// Entries that were looked up soon after the sentinel's document are asked once more, and
	// so is the new document: that is no more work than is counted here.
	quiet := func() {
		for before := -1; before != calls(); {
			before = calls()
			select {
			case <-time.After(500 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
	quiet()
	before, began := calls(), time.Now()
	changed := make([]<-chan struct{}, people)
	for i, r := range readers {
		changed[i] = r.Changed()
	}
	check(t, server.Touch(ctx, "document:d1#project@project:p1"))
	for i, r := range readers {
		select {
		case <-changed[i]:
		case <-ctx.Done():
			t.Fatalf("reader %d is not woken", i)
		}
		if d, err := r.Decide(ctx, authz.Bounded, ""); err != nil || !d.Grants.Set(0).Has("d1") {
			t.Fatalf("reader %d: %v", i, err)
		}
	}
	took := time.Since(began)
	quiet()
	if n := calls() - before; n > 3 {
		t.Errorf("%d calls", n)
	} else {
		t.Logf("%d calls; the last reader was woken after %s", n, took)
	}
	check(t, sentinel.Heard(ctx))
}

func subscribeCrowd(ctx context.Context, t *testing.T, cache *grantcachetest.Cache, n int) []authz.Subscription {
	t.Helper()
	readers := make([]authz.Subscription, n)
	work := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range work {
				if _, err := readers[i].Decide(ctx, authz.Bounded, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range readers {
		who := authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: fmt.Sprintf("u%d", i)}}
		readers[i] = open(t, cache, who, authz.Rule{Filters: []authz.Filter{{ResourceType: "document", Permission: "view"}}}, nil)
		work <- i
	}
	close(work)
	wg.Wait()
	return readers
}
