package proxy_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// Two replicas whose ways to Electric lag by themselves. A client reads at one, then at
// the other: it ends with its rows, and is sent nothing of their past.

// lagging is a pair of replicas, each with a way to Electric of its own.
type lagging struct {
	*pair
	fronts   []*electrictest.Front
	handlers []*proxy.Handler
}

func twoLaggingReplicas(t *testing.T) *lagging {
	d := deploy(t, shortStreams)
	l := &lagging{pair: &pair{deployment: d}}
	for range 2 {
		front := d.electric.NewFront()
		server := httptest.NewServer(front)
		d.end(server.Close)
		d.replica(func(c *proxy.Config) {
			var err error
			c.Electric, err = electric.NewClient(electric.Config{URL: server.URL, Secret: electricSecret, Transport: d.transport()})
			d.check(err)
		})
		l.urls, l.sentinels = append(l.urls, d.url), append(l.sentinels, d.sentinel)
		l.fronts, l.handlers = append(l.fronts, front), append(l.handlers, d.handler)
	}
	return l
}

// catchUp ends all lags, and returns once both replicas have read all there is.
func (l *lagging) catchUp() {
	l.t.Helper()
	for _, front := range l.fronts {
		front.CatchUp()
	}
	l.read()
}

// read returns once the feeds of both replicas have read what their logs show.
func (l *lagging) read() {
	l.t.Helper()
	l.await(func() bool {
		for i, h := range l.handlers {
			if slices.ContainsFunc(h.Feeds(), func(s feed.Status) bool {
				end, ok := l.fronts[i].End(s.Handle)
				return !ok || s.Position != end
			}) {
				return false
			}
		}
		return true
	})
}

// eachLag runs a test for each way in which the two logs may lag, and for each way in
// which a client may read at the second replica.
func eachLag(t *testing.T, person, shape string, test func(l *lagging, f *follower, then func())) {
	t.Helper()
	for _, behind := range [][]int{{0}, {1}, {0, 1}} {
		for _, kind := range []string{"read", "stream"} {
			names := map[int]string{0: "the first", 1: "the other"}
			name := names[behind[0]]
			if len(behind) > 1 {
				name = "each"
			}
			t.Run(name+" lags, then "+kind, func(t *testing.T) {
				l := twoLaggingReplicas(t)
				f := l.follow(person, shape)
				for _, url := range l.urls { // so that both have feeds
					l.check(f.clone().read(l.context(), url, neverCut))
				}
				l.check(f.read(l.context(), l.urls[0], neverCut))
				for _, i := range behind {
					l.fronts[i].FallBehind()
				}
				then := func() {
					t.Helper()
					// The other replica's log brings late what the first one's snapshot has seen.
					if kind == "read" {
						l.check(f.read(l.context(), l.urls[1], neverCut))
					} else {
						l.check(f.stream(l.context(), l.urls[1], neverCut, func() bool { return true }))
					}
				}
				test(l, f, then)
				l.ends(f)
			})
		}
	}
}

// ends makes sure that a client has its rows, wherever it reads on.
func (l *lagging) ends(f *follower) {
	l.t.Helper()
	l.catchUp()
	for _, url := range l.urls {
		l.check(f.read(l.context(), url, neverCut))
		l.check(f.isCurrent(l.context(), url))
	}
	if f.refetch > 0 {
		l.t.Errorf("answered 409 %d times", f.refetch)
	}
}

func TestADraftIsNotSentByTheReplicaThatDidNotTakeTheSnapshot(t *testing.T) {
	eachLag(t, "alice", "documents", func(l *lagging, f *follower, then func()) {
		l.execUnread("UPDATE documents SET title = 'a draft' WHERE id = $1", full("d3"))
		l.execUnread("UPDATE documents SET title = 'clean' WHERE id = $1", full("d3"))
		l.read()
		l.grantUnheard(sees("alice", "d3"))
		l.heardBoth()
		l.check(f.read(l.context(), l.urls[0], neverCut))
		if !strings.Contains(f.rows["d3"], "clean") {
			l.t.Fatalf("holds %v", f.rows)
		}
		l.catchUp()
		l.execUnread("UPDATE documents SET title = 'newest' WHERE id = $1", full("d3"))
		l.read()
		then()
		if !strings.Contains(f.rows["d3"], "newest") || strings.Contains(string(f.sent), "draft") {
			l.t.Errorf("holds %v after %s", f.rows, f.sent)
		}
	})
}

// The message that a row left comes at a replica for which the client never held the
// project that the row left.
func TestARowThatLeavesAProjectThatIsTakenAwayIsDeletedByTheOtherReplica(t *testing.T) {
	eachLag(t, "alice", "tasks", func(l *lagging, f *follower, then func()) {
		l.execUnread("UPDATE tasks SET project = 'p9', title = 'elsewhere' WHERE id = $1", full("a1"))
		l.read()
		l.revokeUnheard("project:p1#viewer@user:alice")
		l.heardBoth()
		l.check(f.read(l.context(), l.urls[0], neverCut))
		l.catchUp()
		then()
		if len(f.rows) > 0 || strings.Contains(string(f.sent), "elsewhere") {
			l.t.Errorf("holds %v after %s", f.rows, f.sent)
		}
	})
}

// The same while the client waits at the other replica as its log catches up.
func TestALateMessageComesToAClientThatWaitsAtTheOtherReplica(t *testing.T) {
	l := twoLaggingReplicas(t)
	f := l.follow("alice", "tasks")
	l.check(f.read(l.context(), l.urls[0], neverCut))
	for _, front := range l.fronts {
		front.FallBehind()
	}
	l.execUnread("UPDATE tasks SET project = 'p9' WHERE id = $1", full("a1"))
	l.revokeUnheard("project:p1#viewer@user:alice")
	l.heardBoth()
	l.check(f.read(l.context(), l.urls[0], neverCut))
	if len(f.rows) != 1 {
		t.Fatalf("holds %v", f.rows)
	}
	ctx, cancel := context.WithCancel(l.context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		var err error
		for err == nil && len(f.rows) > 0 {
			err = f.stream(ctx, l.urls[1], neverCut, func() bool { return true })
		}
		done <- err
	}()
	l.fronts[1].CatchUp()
	l.check(<-done)
	l.ends(f)
}
