package proxy_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/schema"
)

const actions = "/v1/grants/actions?"

// edits and owns are the relationships that let a person edit a document, and edit and
// share it.
func edits(person, document string) string {
	return "document:" + full(document) + "#editor@user:" + person
}

func owns(person, document string) string {
	return "document:" + full(document) + "#owner@user:" + person
}

// editing is a world in which alice edits d1 and d2, and owns d2.
var editing = granting(edits("alice", "d1"), owns("alice", "d2"), edits("bob", "d3"))

// permissions are the rows that messages insert, by id: "d1": "edit share".
func permissionsOf(list []message) map[string]string {
	all := make(map[string]string)
	for _, m := range list {
		if m.Headers.Operation != "insert" {
			continue
		}
		var held []string
		for _, name := range slices.Sorted(maps.Keys(m.Value)) {
			if textOf(m.Value[name]) == "true" {
				held = append(held, name)
			}
		}
		all[m.id()] = strings.Join(held, " ")
	}
	return all
}

func TestACollectionHasARowForEachObjectWithAPermission(t *testing.T) {
	d := deploy(t, editing)
	first := d.as("alice").get(actions + "offset=-1").is(http.StatusOK)
	equal(t, permissionsOf(first.messages()), map[string]string{"d1": "edit", "d2": "edit share"})
	equal(t, inShort(first.messages())[2:], []string{"snapshot-end", "up-to-date"})
	const schema = `{"edit":{"not_null":true,"type":"bool"},"id":{"not_null":true,"pk_index":0,"type":"uuid"},"share":{"not_null":true,"type":"bool"}}`
	if !first.upToDate() || first.header.Get("Electric-Schema") != schema {
		t.Errorf("headers %v", first.header)
	}
	want := `{"key":"\"grants\".\"actions\"/\"` + full("d1") + `\"","value":{"id":"` + full("d1") + `","edit":"true","share":"false"},"headers":{"operation":"insert","relation":["grants","actions"]}}`
	if !strings.Contains(string(first.body), want) {
		t.Errorf("no %s in %s", want, first.body)
	}
	d.as("alice").get(actions + first.onward()).says("up-to-date")
	d.as("mallory").get(actions+"offset=-1").says("snapshot-end", "up-to-date")
	for _, q := range []string{"offset=now", "offset=-1&log=changes_only"} {
		position := d.as("alice").get(actions + q).says("up-to-date")
		d.as("alice").get(actions + position.onward()).says("up-to-date")
	}
	// Electric is not asked for anything.
	if n := len(d.upstream.requests()); n != 0 {
		t.Errorf("Electric was asked %d times", n)
	}
}

// Each way to read on tells a change of permissions as a change of rows.
func TestAChangeOfPermissionsIsAChangeOfRows(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*deployment)
		want   []string
		then   map[string]string // what the insert among them has
	}{
		"the first permission": {func(d *deployment) { d.grant(edits("alice", "d3")) }, []string{"insert d3", "up-to-date"}, map[string]string{"d3": "edit"}},
		"one more":             {func(d *deployment) { d.grant(owns("alice", "d1")) }, []string{"update d1 edit=true share=true", "up-to-date"}, nil},
		"one less": {
			func(d *deployment) { d.grant(edits("alice", "d2")); d.revoke(owns("alice", "d2")) },
			[]string{"update d2 edit=true share=false", "up-to-date"}, nil,
		},
		"the last one":                {func(d *deployment) { d.revoke(edits("alice", "d1")) }, []string{"delete d1", "up-to-date"}, nil},
		"one that was held already":   {func(d *deployment) { d.grant(edits("alice", "d2")) }, []string{"up-to-date"}, nil},
		"somebody else's":             {func(d *deployment) { d.grant(owns("bob", "d1")) }, []string{"up-to-date"}, nil},
		"another permission's":        {func(d *deployment) { d.grant(sees("alice", "d4")) }, []string{"up-to-date"}, nil},
		"what was taken back at once": {func(d *deployment) { d.grant(owns("alice", "d3")); d.revoke(owns("alice", "d3")) }, []string{"up-to-date"}, nil},
		"a loss that was given back":  {func(d *deployment) { d.revoke(edits("alice", "d1")); d.grant(edits("alice", "d1")) }, []string{"up-to-date"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, editing)
			alice := d.as("alice")
			first := alice.get(actions + "offset=-1")
			tt.change(d)
			read := alice.get(actions + first.onward()).says(tt.want...)
			if got := permissionsOf(read.messages()); len(tt.then) > 0 {
				equal(t, got, tt.then)
			}
			alice.get(actions + read.onward()).says("up-to-date")
			if len(tt.want) == 1 {
				return
			}
			if read.handle() == first.handle() || read.offset() == first.offset() {
				t.Error("the handle or the offset is the one before")
			}
			again := alice.get(actions + "live=true&" + first.onward()).says(tt.want...)
			if again.cursor() == "" || again.header.Get("Electric-Schema") != "" {
				t.Errorf("headers of a live answer: %v", again.header)
			}
			s := alice.stream(actions + sse + first.onward())
			s.says(tt.want...)
			// The stream's handle promises nothing that was not delivered.
			alice.get(actions + s.adopted()).is(http.StatusOK)
			alice.get(actions + s.onward()).says("up-to-date")
		})
	}
}

// awaitHeld returns once n requests are held, of whatever is served.
func (d *deployment) awaitHeld(n float64) {
	d.t.Helper()
	d.await(func() bool { return d.metric("shapegate_held_requests") == n })
}

func TestAChangeOfPermissionsWakesWhoWaits(t *testing.T) {
	d := deploy(t, editing)
	alice, bob := d.as("alice"), d.as("bob")
	first, bobs := alice.get(actions+"offset=-1"), bob.get(actions+"offset=-1")
	waiting := alice.hold(actions + "live=true&" + first.onward())
	others := bob.hold(actions + "live=true&" + bobs.onward())
	d.awaitHeld(2)
	d.grant(owns("alice", "d1"))
	waiting.answer().says("update d1 edit=true share=true", "up-to-date")
	others.waits() // it does not concern bob
	s := alice.stream(actions + sse + first.onward())
	s.says("update d1 edit=true share=true", "up-to-date")
	d.revoke(owns("alice", "d1"))
	s.says("update d1 edit=true share=false", "up-to-date")
	d.revoke(edits("bob", "d3"))
	others.answer().says("delete d3", "up-to-date")
}

func TestALongPollOfACollectionEnds(t *testing.T) {
	d := deploy(t, editing, configured(func(c *proxy.Config) { c.LongPollTimeout = 20 * time.Millisecond }))
	first := d.as("alice").get(actions + "offset=-1")
	a := d.as("alice").get(actions + "live=true&" + first.onward()).says("up-to-date")
	if a.handle() != first.handle() || a.cursor() == "" || !a.upToDate() {
		t.Errorf("headers %v", a.header)
	}
}

func TestASubsetOfACollection(t *testing.T) {
	d := deploy(t, granting(edits("alice", "d1"), owns("alice", "d2"), edits("alice", "d3")))
	alice := d.as("alice")
	position := alice.get(actions + "offset=now")
	for body, want := range map[string]string{
		fmt.Sprintf(`{"where": "\"id\" = $1", "params": {"1": "%s"}}`, full("d2")):                         "d2",
		fmt.Sprintf(`{"where": "\"id\" = ANY($1)", "params": {"1": "{%s,%s,x}"}}`, full("d1"), full("d9")): "d1",
		`{"order_by": "\"id\" DESC", "limit": 2}`:                                                          "d3 d2",
		`{"order_by": "id", "limit": 1, "offset": 1}`:                                                      "d2",
		`{"where": null}`:          "d1 d2 d3",
		`{"where": "true = true"}`: "d1 d2 d3", // as TanStack DB asks
	} {
		for _, q := range []string{"offset=now&log=changes_only", position.onward(), ""} {
			a := alice.post(actions+q, body)
			got := a.ids()
			if !strings.Contains(body, "order_by") {
				slices.Sort(got)
			}
			equal(t, strings.Join(got, " "), want)
			if a.header.Get("Electric-Snapshot") != "true" || q == position.onward() && a.handle() != position.handle() {
				t.Errorf("headers %v", a.header)
			}
			// The client takes handle and offset for its log.
			alice.get(actions + a.onward()).says("up-to-date")
		}
	}
	for body, field := range map[string]string{
		`{"where": "\"edit\" = $1", "params": {"1": "true"}}`:             "where",
		`{"where": "\"id\" > $1", "params": {"1": "` + full("d1") + `"}}`: "where",
		`{"where": "secret = $1", "params": {"1": "x"}}`:                  "where",
		`{"order_by": "edit"}`:                                            "order_by",
		`{"limit": 1}`:                                                    "order_by",
		`{"where": "id ="}`:                                               "where",
	} {
		alice.post(actions+"offset=now", body).refused(http.StatusBadRequest, field)
	}
	alice.get(actions + query("subset__where", `"id" = $1`, "subset__params", `{"1":"`+full("d3")+`"}`)).holds("d3")
}

// A subset that comes with a handle has no row beyond it: the log brings what has changed.
func TestASubsetOfACollectionHasNothingBeyondTheHandle(t *testing.T) {
	d := deploy(t, editing)
	alice := d.as("alice")
	position := alice.get(actions + "offset=now")
	d.grant(owns("alice", "d1"), edits("alice", "d4"))
	d.revoke(owns("alice", "d2"))
	a := alice.post(actions+position.onward(), `{"where": null}`)
	equal(t, permissionsOf(a.subset().Data), map[string]string{"d1": "edit"})
	log := alice.get(actions + a.onward())
	equal(t, permissionsOf(log.messages()), map[string]string{"d1": "edit share", "d4": "edit"})
	if got := inShort(log.messages()); !slices.Contains(got, "delete d2") {
		t.Errorf("the log has %v", got)
	}
	// A client that does not read the log, and is given back what it lost, is told so.
	d.grant(owns("alice", "d2"))
	back := alice.get(actions + a.onward())
	if got := permissionsOf(back.messages()); got["d2"] != "edit share" {
		t.Errorf("the log has %v", back.messages())
	}
}

func TestAGateOfACollection(t *testing.T) {
	d := deploy(t, editing)
	first := d.as("alice").get("/v1/grants/office_actions?offset=-1").holds("d1", "d2")
	d.as("bob").get("/v1/grants/office_actions?offset=-1").refused(http.StatusForbidden, "")
	waiting := d.as("alice").hold("/v1/grants/office_actions?live=true&" + first.onward())
	d.awaitHeld(1)
	d.revoke("workspace:main#member@user:alice")
	waiting.answer().refused(http.StatusForbidden, "")
	d.as("alice").get("/v1/grants/room_actions?offset=-1").refused(http.StatusBadRequest, "room")
	d.as("alice").get("/v1/grants/room_actions?room=1&offset=-1").holds("d1", "d2")
	d.as("bob").get("/v1/grants/room_actions?room=1&offset=-1").refused(http.StatusForbidden, "")
}

func TestACaveatOfACollection(t *testing.T) {
	d := deploy(t, granting("document:"+full("d4")+`#editor@user:dora[cleared:{"needed":3}]`, owns("dora", "d1")))
	path := "/v1/grants/cleared_actions?offset=-1"
	d.asClaiming("dora", jwt.MapClaims{"clearance": 3}).get(path).holds("d1", "d4")
	d.asClaiming("dora", jwt.MapClaims{"clearance": 2}).get(path).holds("d1")
	d.as("dora").get(path).holds("d1")
}

func TestAStrictCollectionIsAskedForEachTime(t *testing.T) {
	d := deploy(t, editing)
	alice := d.as("alice")
	const path = "/v1/grants/vault_actions?"
	first := alice.get(path+"offset=-1").holds("d1", "d2")
	d.revokeUnheard(edits("alice", "d1"))
	d.grantUnheard(owns("alice", "d3"))
	next := alice.get(path + first.onward())
	equal(t, permissionsOf(next.messages()), map[string]string{"d3": "edit share"})
	d.revokeUnheard(owns("alice", "d3"))
	alice.get(path + "offset=-1").holds("d2")
	alice.post(path+next.onward(), `{"where": null}`).holds("d2")
}

// lookedUp is an engine that calls something once it has looked up a permission.
type lookedUp struct {
	authz.Engine
	permission string
	then       atomic.Pointer[func()] // nil: nothing
}

func (l *lookedUp) LookupResources(ctx context.Context, q authz.Lookup, yield func(string)) (authz.ZedToken, error) {
	at, err := l.Engine.LookupResources(ctx, q, yield)
	if q.Permission == l.permission {
		if then := l.then.Swap(nil); then != nil {
			(*then)()
		}
	}
	return at, err
}

// What is revoked while an answer is made is not in it, and the answer is no failure: its
// handle says what was left out.
func TestARevocationWhileACollectionIsReadIsNoFailure(t *testing.T) {
	const path = "/v1/grants/vault_actions?"
	for name, read := range map[string]func(alice reader, first *answer) *answer{
		"a first read": func(alice reader, _ *answer) *answer { return alice.get(path + "offset=-1") },
		"a subset":     func(alice reader, _ *answer) *answer { return alice.post(path, `{"where": null}`) },
		"a subset under a handle": func(alice reader, first *answer) *answer {
			return alice.post(path+first.onward(), `{"where": null}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, editing)
			engine := &lookedUp{Engine: d.engine, permission: "edit"}
			d.replica(func(c *proxy.Config) {
				c.Authorizer = d.runCache(func(c *grantcache.Config) { c.Engine = engine })
			})
			alice := d.as("alice")
			first := alice.get(path+"offset=-1").holds("d1", "d2")
			engine.then.Store(new(func() { d.revokeUnheard(edits("alice", "d1")) }))
			a := read(alice, first).holds("d2")
			d.grantUnheard(edits("alice", "d1"))
			next := alice.get(path + a.onward())
			equal(t, permissionsOf(next.messages()), map[string]string{"d1": "edit"})
		})
	}
}

// An id that the column's type cannot hold has no row.
func TestIDsOfACollectionAreOfItsType(t *testing.T) {
	d := deploy(t)
	d.as("alice").get("/v1/grants/seats?offset=-1").holds("1") // and not the lobby
	if !strings.Contains(d.logged.String(), "object ids that the filter's column cannot hold") {
		t.Error("the lobby is left out in silence")
	}
}

// Which ids have a row depends on their type: who has read with another one begins anew.
func TestAnotherTypeOfTheIDsIsAChangeOfGrants(t *testing.T) {
	d := deploy(t)
	first := d.as("alice").get("/v1/grants/seats?offset=-1").holds("1")
	shapes, err := schema.Parse("shapes.yaml", []byte(strings.Replace(shapesYAML, "column_type: integer", "column_type: text", 1)))
	d.check(err)
	d.replica(func(c *proxy.Config) { c.Shapes = shapes })
	refused := d.as("alice").get("/v1/grants/seats?" + first.onward()).mustRefetch(first)
	d.as("alice").get("/v1/grants/seats?offset=-1&handle="+refused.handle()).holds("1", "lobby")
}

func TestAHandleOfACollectionIsGoodOnEveryReplica(t *testing.T) {
	d := deploy(t, editing)
	alice := d.as("alice")
	first := alice.get(actions + "offset=-1")
	d.grant(owns("alice", "d1"))
	d.replica(nil)
	read := alice.get(actions+first.onward()).says("update d1 edit=true share=true", "up-to-date")
	// It is good for its person and its collection alone.
	d.as("bob").get(actions + read.onward()).mustRefetch(read)
	alice.get("/v1/grants/vault_actions?" + read.onward()).mustRefetch(read)
	alice.get("/v1/shapes/documents?" + read.onward()).mustRefetch(read)
	documents := alice.get("/v1/shapes/documents?offset=-1")
	alice.get(actions + documents.onward()).mustRefetch(documents)
	refused := alice.get(actions + "handle=made-up&offset=0_0").mustRefetch(read)
	for _, live := range []string{"", "live=true&", sse} {
		alice.get(actions + live + "offset=0_0&handle=" + refused.handle()).mustRefetch(refused)
	}
	// An offset of far away was given out by nobody.
	alice.get(actions + "offset=9223372036854775000_0&handle=" + read.handle()).mustRefetch(read)
}

func TestARequestForACollectionIsReadStrictly(t *testing.T) {
	d := deploy(t, editing)
	alice := d.as("alice")
	for q, field := range map[string]string{
		"":                      "offset",
		"offset=5":              "offset",
		"offset=-1&offset=now":  "offset",
		"offset=-1&colour=red":  "colour",
		"offset=-1&where=edit":  "where",
		"offset=-1&columns=id":  "columns",
		"offset=-1&params[1]=x": "params",
		"offset=0_0":            "handle",
		"offset=-1&live=true":   "live",
	} {
		alice.get(actions+q).refused(http.StatusBadRequest, field)
	}
	alice.get("/v1/grants/nothing?offset=-1").refused(http.StatusNotFound, "name")
	alice.get("/v1/grants/documents?offset=-1").refused(http.StatusNotFound, "name")
	alice.get("/v1/shapes/actions?offset=-1").refused(http.StatusNotFound, "table")
	d.anybody().get(actions+"offset=-1").refused(http.StatusUnauthorized, "")
	d.anybody().get("/v1/grants/nothing?offset=-1").refused(http.StatusUnauthorized, "")
	head := alice.do(http.MethodHead, actions+"offset=-1", "").is(http.StatusOK)
	if head.handle() == "" || len(head.body) != 0 {
		t.Errorf("HEAD: %v, %d bytes", head.header, len(head.body))
	}
}

func TestCollectionsAreCounted(t *testing.T) {
	d := deploy(t, editing)
	alice := d.as("alice")
	first := alice.get(actions + "offset=-1")
	d.grant(owns("alice", "d1"))
	alice.get(actions + first.onward()).is(http.StatusOK)
	if got := d.metric("shapegate_resyncs_total"); got != 1 {
		t.Errorf("%v resyncs", got)
	}
	alice.get(actions + "offset=5").is(http.StatusBadRequest)
	if got := d.metric("shapegate_errors_total"); got != 1 {
		t.Errorf("%v errors", got)
	}
}

func TestASessionReadsACollectionAsLongAsItLasts(t *testing.T) {
	d := deploy(t, editing)
	session := d.anybody().with("Cookie", d.as("alice").login())
	first := session.get(actions+"offset=-1").holds("d1", "d2")
	waiting := session.hold(actions + "live=true&" + first.onward())
	d.awaitHeld(1)
	session.do(http.MethodDelete, "/v1/session", "").is(http.StatusNoContent)
	waiting.answer().refused(http.StatusUnauthorized, "")
}

func TestDrainAnswersWhoWaitsForACollection(t *testing.T) {
	d := deploy(t, editing)
	first := d.as("alice").get(actions + "offset=-1")
	waiting := d.as("alice").hold(actions + "live=true&" + first.onward())
	d.awaitHeld(1)
	d.handler.Drain()
	waiting.answer().says("up-to-date")
}

// A shape and a collection that ask for the same permission share what is kept of it.
func TestACollectionSharesItsGrantsWithShapes(t *testing.T) {
	d := deploy(t, editing)
	d.as("alice").get(actions+"offset=-1").holds("d1", "d2")
	before := d.spicedb.Calls("LookupResources")
	d.as("alice").get("/v1/grants/office_actions?offset=-1").holds("d1", "d2")
	if n := d.spicedb.Calls("LookupResources") - before; n != 0 {
		t.Errorf("%d lookups for a permission that is kept", n)
	}
}
