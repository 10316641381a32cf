package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/schema"
)

func TestTheNextReadAfterAChangeOfGrantsIsAResync(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*deployment)
		want   []string
	}{
		"a grant":      {func(d *deployment) { d.grant(sees("alice", "d3")) }, []string{"insert d3", "snapshot-end", "up-to-date"}},
		"a revocation": {func(d *deployment) { d.revoke(sees("alice", "d1")) }, []string{"delete d1", "up-to-date"}},
		"both": {
			func(d *deployment) { d.revoke(sees("alice", "d1")); d.grant(sees("alice", "d3")) },
			[]string{"delete d1", "insert d3", "snapshot-end", "up-to-date"},
		},
		"a grant that was taken back": {
			func(d *deployment) { d.grant(sees("alice", "d3")); d.revoke(sees("alice", "d3")) },
			[]string{"up-to-date"},
		},
		"a revocation that was taken back": {
			func(d *deployment) { d.revoke(sees("alice", "d1")); d.grant(sees("alice", "d1")) },
			[]string{"insert d1", "snapshot-end", "up-to-date"},
		},
		"a grant of a row that is not there": {
			func(d *deployment) { d.grant(sees("alice", "d9")) }, []string{"snapshot-end", "up-to-date"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			alice := d.as("alice")
			first := alice.get("/v1/shapes/documents?offset=-1")
			tt.change(d)
			read := alice.get("/v1/shapes/documents?" + first.onward()).says(tt.want...)
			if read.handle() == first.handle() && len(tt.want) > 1 || !read.upToDate() || read.header.Get("Electric-Schema") == "" {
				t.Errorf("headers %v", read.header)
			}
			if got := d.metric("shapegate_resyncs_total"); (got == 1) != (len(tt.want) > 1) {
				t.Errorf("counted as %v resyncs", got)
			}
			// What its handle names is not sent again.
			alice.get("/v1/shapes/documents?" + read.onward()).says("up-to-date")
			// A client that did not get the answer asks again, and a stream says the same.
			if len(tt.want) == 1 {
				return
			}
			again := alice.get("/v1/shapes/documents?live=true&" + first.onward()).says(tt.want...)
			if again.cursor() == "" || again.header.Get("Electric-Schema") != "" {
				t.Errorf("headers of a live answer: %v", again.header)
			}
			s := alice.stream("/v1/shapes/documents?" + sse + first.onward())
			s.says(tt.want...)
			// The stream's handle promises nothing that was not delivered.
			alice.get("/v1/shapes/documents?" + s.adopted()).is(http.StatusOK)
			if len(tt.want) > 2 {
				alice.get("/v1/shapes/documents?" + s.adopted()).says(tt.want...)
			}
			alice.get("/v1/shapes/documents?" + s.onward()).says("up-to-date")
		})
	}
}

// What a handle stands for cannot always be had: then the client begins anew, and ends
// with what it may see.
func TestAChangeThatIsNotKnownIsAnsweredWithMustRefetch(t *testing.T) {
	d := deploy(t, granting("document:"+full("d4")+`#viewer@user:dora[cleared:{"needed":3}]`))
	path := "/v1/shapes/cleared?"
	first := d.asClaiming("dora", jwt.MapClaims{"clearance": 3}).get(path + "offset=-1").holds("d4")
	d.grant(sees("dora", "d3"))
	d.replica(nil)
	// Under other claims, the revision that the handle names has other grants.
	dora := d.asClaiming("dora", jwt.MapClaims{"clearance": 2})
	refused := dora.get(path + first.onward()).mustRefetch(first)
	again := dora.get(path+"live=true&"+first.onward()).mustRefetch(first, refused)
	dora.get(path+"live=true&live_sse=true&"+first.onward()).mustRefetch(first, refused, again)
	// The client begins anew with the handle that the 409 named.
	second := dora.get(path + "offset=-1&handle=" + refused.handle()).holds("d3")
	if second.handle() == first.handle() || second.handle() == refused.handle() {
		t.Error("a handle was given twice")
	}
	dora.get(path + second.onward()).says("up-to-date")
}

// Another replica that decided the same once knows what changed since.
func TestAnyReplicaThatKnowsTheOldGrantsResyncs(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.replica(nil)
	alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	d.grant(sees("alice", "d3"))
	d.revoke(sees("alice", "d1"))
	alice.get("/v1/shapes/documents?"+first.onward()).says("delete d1", "insert d3", "snapshot-end", "up-to-date")
}

func TestTheGrantsOfOthersDoNotConcernAReader(t *testing.T) {
	d := deploy(t)
	first := d.as("alice").get("/v1/shapes/documents?offset=-1")
	d.grant(sees("bob", "d1"))
	d.revoke(sees("bob", "d3"))
	d.as("alice").get("/v1/shapes/documents?" + first.onward()).says("up-to-date")
}

func TestTheHandleOfMustRefetchOpensNothing(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	refused := alice.get("/v1/shapes/documents?handle=made-up&offset=" + first.offset()).mustRefetch(first)
	d.exec("UPDATE documents SET title = 'written'")
	for _, offset := range []string{"0_0", "0_inf", first.offset(), "999999999_0"} {
		for _, live := range []string{"", "&live=true", "&live=true&live_sse=true"} {
			alice.get("/v1/shapes/documents?handle=" + refused.handle() + "&offset=" + offset + live).mustRefetch(refused)
		}
	}
}

func TestAHandleOutlivesARestartAndIsGoodOnEveryReplica(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.replica(nil)
	d.exec("UPDATE documents SET title = 'meanwhile' WHERE id = $1", full("d1"))
	a := alice.get("/v1/shapes/documents?"+first.onward()).says("update d1 title=meanwhile", "up-to-date")
	// From here on the new process knows the handle.
	if b := alice.get("/v1/shapes/documents?" + a.onward()).says("up-to-date"); b.handle() != a.handle() {
		t.Error("the handle changed without need")
	}
}

func TestWithAnotherSecretEveryClientBeginsAnew(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.replica(func(c *proxy.Config) { c.Secret = []byte("another secret, of another deployment") })
	alice.get("/v1/shapes/documents?" + first.onward()).mustRefetch(first)
}

// A grant covers the present, not the past: what was written about a row before
// it was granted is not to be had, whatever handle and offset are put together.
func TestAGrantDoesNotOpenThePast(t *testing.T) {
	d := deploy(t)
	alice, bob := d.as("alice"), d.as("bob")
	before := alice.get("/v1/shapes/documents?offset=-1")
	his := bob.get("/v1/shapes/documents?offset=-1")
	d.exec("UPDATE documents SET title = 'a draft' WHERE id = $1", full("d3"))
	d.exec("UPDATE documents SET title = 'cleaned' WHERE id = $1", full("d3"))
	d.grant(sees("alice", "d3"))
	after := alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2", "d3")

	half := len(after.handle()) / 2
	for name, handle := range map[string]string{
		"the handle from after the grant":      after.handle(),
		"the handle from before it":            before.handle(),
		"the handle of a reader who saw it":    his.handle(),
		"the half of one, the half of another": after.handle()[:half] + before.handle()[half:],
		"the other halves":                     before.handle()[:half] + after.handle()[half:],
		"a part of it":                         after.handle()[:half],
	} {
		for _, offset := range []string{before.offset(), "0_0", "0_inf"} {
			a := alice.get("/v1/shapes/documents?handle=" + handle + "&offset=" + offset)
			if strings.Contains(string(a.body), "draft") {
				t.Errorf("%s opens the past: %s", name, a.body)
			}
			if a.status == http.StatusOK && handle != after.handle() && handle != before.handle() {
				t.Errorf("%s is taken", name)
			}
		}
	}
	alice.get("/v1/shapes/documents?handle=" + after.handle() + "&offset=" + before.offset()).says("up-to-date")
}

func TestAHandleIsItsOwnersAlone(t *testing.T) {
	d := deploy(t, granting(sees("bob", "d1"), sees("bob", "d2"), sees("alice", "d3")))
	// Both hold the same grants.
	hers := d.as("alice").get("/v1/shapes/documents?offset=-1").holds("d1", "d2", "d3")
	d.as("bob").get("/v1/shapes/documents?offset=-1").holds("d1", "d2", "d3")
	d.as("bob").get("/v1/shapes/documents?" + hers.onward()).mustRefetch(hers)
}

func TestAHandleIsGoodForItsShapeAlone(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	documents := alice.get("/v1/shapes/documents?offset=-1")
	d.upstream.forget()
	for _, shape := range []string{"current", "tasks", "notes", "office"} {
		alice.get("/v1/shapes/" + shape + "?" + documents.onward()).mustRefetch(documents)
	}
	for _, a := range d.upstream.byReaders() {
		if a.query.Get("handle") != "" {
			t.Errorf("Electric was sent the handle of another shape: %v", a.query)
		}
	}
	alice.get("/v1/shape?table=documents&" + documents.onward()).says("up-to-date")
}

// Equal grants under another rule mean other rows: what a client holds from before
// a change of shapes.yaml is not what it may see now.
func TestAnotherRuleIsAChangeOfGrants(t *testing.T) {
	d := deploy(t, granting("project:"+full("a2")+"#viewer@user:alice", "task:p1#viewer@user:alice"))
	alice := d.as("alice")
	d.revoke("project:p1#viewer@user:alice", "task:"+full("a2")+"#viewer@user:alice")
	first := alice.get("/v1/shapes/mixed?offset=-1").holds()
	swapped := strings.NewReplacer(
		"permission: view, column: id}\n        - {resource: project, permission: view, column: project}",
		"permission: view, column: project}\n        - {resource: project, permission: view, column: id}").Replace(shapesYAML)
	shapes, err := schema.Parse("shapes.yaml", []byte(swapped))
	d.check(err)
	d.replica(func(c *proxy.Config) { c.Shapes = shapes })
	alice.get("/v1/shapes/mixed?" + first.onward()).mustRefetch(first)
	alice.get("/v1/shapes/mixed?offset=-1").holds("a1", "a2", "a4")
}
