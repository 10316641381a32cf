package proxy_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy"
)

func TestABrokenWatchForgetsNothing(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.spicedb.BreakConnections()
		l.d.revokeUnheard(sees("alice", "d1"))
		l.says("delete d1", "up-to-date")
		l.d.spicedb.BreakConnections()
		l.d.grantUnheard(sees("alice", "d3"))
		l.says("insert d3", "snapshot-end", "up-to-date")
	})
}

func TestASpiceDBThatRestartsForgetsNothing(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.spicedb.Pause()
		l.d.revokeUnheard(sees("alice", "d1"))
		l.d.check(l.d.spicedb.Resume())
		l.says("delete d1", "up-to-date")
	})
}

func TestASpiceDBThatFallsSilentIsNoticed(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.spicedb.Stall()
		l.endsWith(http.StatusServiceUnavailable)
		l.d.revokeUnheard(sees("alice", "d1"))
		l.resume()
		l.who.get(l.path+l.first.onward()).says("delete d1", "up-to-date")
	}, impatient)
}

func TestWhileSpiceDBIsAwayNothingIsForgotten(t *testing.T) {
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.spicedb.Pause()
		l.endsWith(http.StatusServiceUnavailable)
		l.d.revokeUnheard(sees("alice", "d1"))
		l.d.exec("UPDATE documents SET title = 'not for alice' WHERE id = $1", full("d1"))
		l.resume()
		l.who.get(l.path+l.first.onward()).says("delete d1", "up-to-date")
	}, soonStale)
}

// impatient gives calls to SpiceDB little time, besides.
func impatient(s *setup) {
	soonStale(s)
	s.callTimeout = 500 * time.Millisecond
}

// resume makes SpiceDB reachable again, and returns once it answers and is watched
// again.
func (l *heldLog) resume() {
	l.d.t.Helper()
	watches := l.d.spicedb.Calls("Watch")
	l.d.check(l.d.spicedb.Resume())
	for ctx := l.d.context(); l.d.spicedb.Calls("Watch") == watches; l.d.check(ctx.Err()) {
		l.who.get(l.path + "offset=now&log=changes_only")
	}
	l.d.heard()
}

// A revision that SpiceDB has forgotten cannot be watched from: everything that is
// held is looked up again.
func TestAWatchThatCannotBeResumedForgetsNothing(t *testing.T) {
	const window = 500 * time.Millisecond // a call must be answered within it
	eachKindOfWaiting(t, "documents", alice, func(l *heldLog) {
		l.d.spicedb.Pause()
		l.d.revokeUnheard(sees("alice", "d1"))
		for began := time.Now(); time.Since(began) < 2*window; {
			l.d.grantUnheard(sees("bob", "d1"))
			l.d.revokeUnheard(sees("bob", "d1"))
		}
		l.resume() // a request that waited may have been answered to come again
		l.who.get(l.path+l.first.onward()).says("delete d1", "up-to-date")
	}, func(s *setup) { s.engine = spicedbtest.Config{GCWindow: window} })
}

func TestAClientThatComesBackLateIsResynced(t *testing.T) {
	kept := prometheus.NewRegistry()
	d := deploy(t, caching(func(c *grantcache.Config) {
		c.Idle, c.Registerer = 50*time.Millisecond, kept
	}))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	// What she held is let go.
	for ctx := d.context(); gauge(t, kept, "shapegate_grant_cache_entries") > 1; d.heard() { // the sentinel's
		d.check(ctx.Err())
	}
	d.grant(sees("alice", "d3"))
	d.revoke(sees("alice", "d1"))
	d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d2"))
	alice.get("/v1/shapes/documents?"+first.onward()).
		says("update d2 title=new", "delete d1", "insert d3", "snapshot-end", "up-to-date")
}

func gauge(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestAThousandClientsWaitWhileTheProxyRestarts(t *testing.T) {
	const people = 1000
	person := func(i int) string { return fmt.Sprintf("p%d", i) }
	var grants []string
	for i := range people {
		grants = append(grants, sees(person(i), "d1"))
	}
	d := deploy(t, granting(grants...))
	clients := make([]reader, people)
	at := make([]*answer, people)
	polls := make([]*held, people)
	for i := range clients {
		clients[i] = d.as(person(i))
		at[i] = clients[i].get("/v1/shapes/documents?offset=-1").holds("d1")
	}
	wait := func() {
		for i, c := range clients {
			polls[i] = c.hold("/v1/shapes/documents?live=true&" + at[i].onward())
		}
		d.waitHeld(people)
	}
	wait()
	before := d.spicedb.Calls("LookupResources")
	d.handler.Drain()
	for i := range polls {
		at[i] = polls[i].answer().says("up-to-date")
	}
	d.replica(nil)
	wait()
	// Whoever comes in the first moments after the start is asked about once more.
	if n := d.spicedb.Calls("LookupResources") - before; n > 2*people+10 {
		t.Errorf("%d lookups for the grants of %d people", n, people)
	}
	d.revoke(sees(person(7), "d1"))
	polls[7].answer().says("delete d1", "up-to-date")
	for i, p := range polls {
		if i != 7 {
			p.waits()
		}
	}
	d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d1"))
	for i, p := range polls {
		if i != 7 {
			p.answer().says("update d1 title=new", "up-to-date")
		}
	}
}

func TestTwoReplicasServeOneClientInTurn(t *testing.T) {
	d := deploy(t)
	urls := []string{d.url}
	d.replica(nil)
	urls = append(urls, d.url)
	alice := d.as("alice")
	turn := 0
	read := func(query string) *answer {
		d.url = urls[turn%2]
		turn++
		return alice.get("/v1/shapes/documents?" + query)
	}
	at := read("offset=-1").holds("d1", "d2")
	at = read(at.onward()).says("up-to-date")
	for range 4 {
		at = read("live=false&" + at.onward()).says("up-to-date")
		d.grant(sees("alice", "d3"))
		at = read(at.onward()).says("insert d3", "snapshot-end", "up-to-date")
		at = read(at.onward()).says("up-to-date")
		d.exec("UPDATE documents SET title = title || '+'")
		at = read(at.onward()).says(
			"update d1 title="+title(d, "d1"), "update d2 title="+title(d, "d2"), "update d3 title="+title(d, "d3"), "up-to-date")
		d.revoke(sees("alice", "d3"))
		at = read(at.onward()).says("delete d3", "up-to-date")
	}
}

// title reads a document's title, as carol, who sees every row.
func title(d *deployment, id string) string {
	for _, m := range d.as("carol").post("/v1/shapes/office", `{"where":"true"}`).subset().Data {
		if m.id() == id {
			return textOf(m.Value["title"])
		}
	}
	return ""
}

func TestAReaderThatLosesTheGateIsForbiddenAtOnce(t *testing.T) {
	eachKindOfWaiting(t, "office", alice, func(l *heldLog) {
		l.d.revoke("workspace:main#member@user:alice")
		l.endsWith(http.StatusForbidden)
		l.d.grant("workspace:main#member@user:alice")
		l.who.get(l.path + l.first.onward()).mustRefetch(l.first)
	})
}

func TestAReaderThatIsNoLongerUnrestrictedFallsBackToTheFilter(t *testing.T) {
	carol := func(d *deployment) reader { return d.as("carol") }
	eachKindOfWaiting(t, "office", carol, func(l *heldLog) {
		l.d.grant(sees("carol", "d4"), "workspace:main#member@user:carol")
		l.d.revoke("workspace:main#admin@user:carol")
		l.endsWith(http.StatusConflict)
		l.who.get(l.path + "offset=-1").holds("d4")
	})
}

func TestWhatAStrictShapeSendsIsAskedAboutOnceMore(t *testing.T) {
	for shape, want := range map[string][]string{
		"vault":     {"update d2 title=new", "up-to-date"},
		"documents": {"update d1 title=new", "update d2 title=new", "up-to-date"}, // within the staleness bound
	} {
		t.Run(shape, func(t *testing.T) {
			var engine lateWatch
			eachKindOfWaiting(t, shape, alice, func(l *heldLog) {
				engine.quiet(l.d)
				release := engine.hold()
				defer release()
				l.d.revokeUnheard(sees("alice", "d1"))
				l.d.exec("UPDATE documents SET title = 'new'")
				l.says(want...)
				release()
				if l.stream != nil { // its client resumes at the start of the last transaction
					list := inShort(l.stream.batch())
					equal(t, list[len(list)-2:], []string{"delete d1", "up-to-date"})
					return
				}
				l.says("delete d1", "up-to-date")
			}, caching(func(c *grantcache.Config) { engine.Engine, c.Engine, c.MaxStaleness = c.Engine, &engine, time.Minute }))
		})
	}
}

func TestAnAnswerIsAsFreshAsItsToken(t *testing.T) {
	var engine lateWatch
	d := deploy(t, caching(func(c *grantcache.Config) { engine.Engine, c.Engine, c.MaxStaleness = c.Engine, &engine, time.Minute }))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	release := engine.hold()
	defer release()
	token := d.write(sees("alice", "d3"))
	alice.get("/v1/shapes/documents?" + first.onward()).says("up-to-date") // the watch is late
	alice.with("Shapegate-At-Least-As-Fresh", token).get("/v1/shapes/documents?"+first.onward()).
		says("insert d3", "snapshot-end", "up-to-date")

	token = d.write(sees("alice", "d4"))
	cookie := alice.with("Shapegate-At-Least-As-Fresh", token).login()
	d.anybody().with("Cookie", cookie).get("/v1/shapes/documents?offset=-1").holds("d1", "d2", "d3", "d4")
}

func TestAMalformedZedTokenIsRefused(t *testing.T) {
	d := deploy(t)
	for _, token := range []string{"", "not base64!", string(make([]byte, 2000))} {
		r := d.as("alice")
		r.header["Shapegate-At-Least-As-Fresh"] = []string{token}
		if token != "" && token[0] == 0 {
			r.header["Shapegate-At-Least-As-Fresh"] = []string{fmt.Sprintf("%02000d", 0)}
		}
		r.get("/v1/shapes/documents?offset=-1").refused(http.StatusBadRequest, "shapegate-at-least-as-fresh")
		r.do(http.MethodPost, "/v1/session", "").refused(http.StatusBadRequest, "shapegate-at-least-as-fresh")
	}
	twice := d.as("alice").with("Shapegate-At-Least-As-Fresh", "aaaa").with("Shapegate-At-Least-As-Fresh", "bbbb")
	twice.get("/v1/shapes/documents?offset=-1").refused(http.StatusBadRequest, "shapegate-at-least-as-fresh")
}

var _ proxy.Authorizer = (*grantcache.Cache)(nil)
