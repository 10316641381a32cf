package model_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/tuple"
	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/grantcachetest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/schema"
)

const (
	docs     = 6
	projects = 3

	zed = `
definition user {}
definition group { 
	relation member: user
}
definition project {
	relation viewer: user | group#member
	permission view = viewer
}
definition doc {
	relation viewer: user | group#member
	relation banned: user
	permission view = viewer - banned
}
definition marker {
	relation viewer: user
	permission view = viewer
}
definition shapegate_canary {
	relation beat: shapegate_canary
}`

	shapesYAML = `
shapes:
  bykey:
    table: docs
    columns: [id, project, body]
    authorize: {filter: [{resource: doc, permission: view, column: id}]}
  strict:
    table: docs
    columns: [id, project, body]
    authorize: {filter: [{resource: doc, permission: view, column: id}]}
    consistency: strict
  byproject:
    table: docs
    columns: [id, project, body]
    authorize: {filter: [{resource: project, permission: view, column: project}]}
  both:
    table: docs
    columns: [id, project, body]
    authorize:
      filter:
        - {resource: doc, permission: view, column: id}
        - {resource: project, permission: view, column: project}
`
)

var (
	people = []string{"ann", "ben", "cyd"}
	secret = []byte("the secret of the model test, long enough")
)

// deployment is two replicas of the proxy over one SpiceDB and one database. Each replica
// has an Electric of its own, whose log may lag while the other's does not.
type deployment struct {
	t       *testing.T
	r       *rand.Rand
	side    *rand.Rand // for what is beside the script, so that seeds keep theirs
	o       *oracle
	spicedb *spicedbtest.Server
	engine  *spicedb.Client
	tables  *electrictest.Server
	client  *http.Client

	replicas [2]*replica
	at       map[*client]int // which replica a client asks

	away time.Duration // how long Electric may be away before clients are told; 0: as in production

	versions int
	written  []string // relationships
	open     []*electrictest.OpenTx
	script   []string
	reads    int
}

// replica is one process of the proxy. It can be replaced by another.
type replica struct {
	url      string
	electric *electrictest.Front
	upstream *door // in front of electric
	engine   *faultyEngine
	cut      func() // breaks the connections of clients
	handler  atomic.Pointer[proxy.Handler]
	keeper   *grantcachetest.Cache
	sentinel *grantcachetest.Sentinel
	stop     func()
}

func deploy(t *testing.T, r *rand.Rand, away time.Duration) *deployment {
	t.Helper()
	d := &deployment{t: t, r: r, o: newOracle(), away: away, at: make(map[*client]int), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	d.spicedb = spicedbtest.Start(t, spicedbtest.Config{Schema: zed})
	var err error
	d.engine, err = spicedb.Dial(spicedb.Config{
		Endpoint: "spicedb", Token: d.spicedb.Token(), Insecure: true, Dialer: d.spicedb.DialContext, Logger: quiet(),
		Timeout: 20 * time.Second,
	})
	d.check(err)
	t.Cleanup(func() { _ = d.engine.Close() })
	d.tables = electrictest.New(electrictest.Options{LongPollTimeout: 20 * time.Second})
	_, err = d.tables.Exec("CREATE TABLE docs (id text PRIMARY KEY, project text, body text NOT NULL)")
	d.check(err)
	for i := range d.replicas {
		front := d.tables.NewFront()
		upstream := openDoor(front)
		t.Cleanup(func() { d.tables.Close(); upstream.close() })
		d.replicas[i] = &replica{electric: front, upstream: upstream, engine: newFaultyEngine(d.engine)}
		d.start(d.replicas[i])
		d.post(d.replicas[i])
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			d.replicas[i].handler.Load().ServeHTTP(w, req)
		}))
		d.replicas[i].url, d.replicas[i].cut = server.URL, server.CloseClientConnections
		t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	}
	t.Cleanup(func() {
		d.client.CloseIdleConnections()
		for _, r := range d.replicas {
			r.stop()
		}
	})
	d.o.grant(d.ask(newest))
	return d
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start makes a process for a replica.
func (d *deployment) start(r *replica) {
	d.t.Helper()
	keeper, err := grantcachetest.Run(grantcache.Config{
		Engine: r.engine, Key: authz.NewFingerprintKey(secret), MaxStaleness: 3 * time.Second, Heartbeat: 100 * time.Millisecond,
		Forced: 1e6, Logger: quiet(),
	})
	d.check(err)
	shapes, err := schema.Parse("shapes.yaml", []byte(shapesYAML))
	d.check(err)
	tokens, err := identity.New(d.t.Context(), identity.Config{Secret: secret})
	d.check(err)
	upstream, err := electric.NewClient(electric.Config{URL: r.upstream.url()})
	d.check(err)
	h, err := proxy.New(proxy.Config{
		Shapes: shapes, Authorizer: keeper, Tokens: tokens, Electric: upstream, Secret: secret, Logger: quiet(),
		LongPollTimeout: 40 * time.Millisecond, StreamTimeout: 80 * time.Millisecond, KeepAlive: 20 * time.Millisecond,
		Feeds:  feed.Config{Away: d.away},
		Limits: proxy.Limits{Rate: 1e6, Burst: 1e6, Concurrent: 1e6},
	})
	d.check(err)
	r.stop = func() {
		h.Drain()
		h.Close()
		if err := keeper.End(); err != nil {
			d.t.Error(err)
		}
	}
	r.handler.Store(h)
	r.keeper = keeper
}

// post returns once a replica hears of what is written.
func (d *deployment) post(r *replica) {
	d.t.Helper()
	var err error
	r.sentinel, err = r.keeper.Sentinel(d.ctx(), grantcachetest.Post{
		ResourceType: "marker", Relation: "viewer", Permission: "view", Touch: d.spicedb.Touch, Patient: true,
	})
	d.check(err)
}

// restart replaces a process, as a crash does, and returns its number.
func (d *deployment) restart(i int) int {
	d.replicas[i].stop()
	d.start(d.replicas[i])
	d.post(d.replicas[i])
	return i
}

// told returns once both replicas have heard of whatever was written.
func (d *deployment) told() {
	d.t.Helper()
	for _, r := range d.replicas {
		d.check(r.sentinel.Heard(d.ctx()))
	}
}

// read returns once both replicas have read the logs to their ends.
func (d *deployment) read() {
	d.t.Helper()
	ctx := d.ctx()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		behind := 0
		for _, r := range d.replicas {
			for _, s := range r.handler.Load().Feeds() {
				if end, ok := r.electric.End(s.Handle); !ok || end != s.Position {
					behind++
				}
			}
		}
		if behind == 0 {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			d.t.Fatalf("%d feeds are behind", behind)
		}
	}
}

// base is the replica for the next request of a client.
func (d *deployment) base(c *client) string {
	if c.roundRobin {
		d.at[c] = 1 - d.at[c]
	}
	r := d.replicas[d.at[c]]
	if d.isAhead(c, r) {
		const lag = 20 * time.Millisecond // Electric waits longer for what it is asked for
		time.AfterFunc(lag, r.electric.CatchUp)
	}
	return r.url
}

// isAhead reports whether a client has read more than the Electric of a replica has.
func (d *deployment) isAhead(c *client, r *replica) bool {
	at, err := electric.ParseOffset(c.offset)
	d.check(err)
	for _, other := range d.replicas {
		for _, s := range other.handler.Load().Feeds() {
			end, ok := r.electric.End(s.Handle)
			if !ok {
				continue
			}
			last, err := electric.ParseOffset(end)
			d.check(err)
			return at.IsPosition() && at.Unmarked().Compare(last) > 0
		}
	}
	return false
}

// update writes or deletes a relationship, and returns what everybody holds at exactly
// that revision: a fully consistent answer may share its look at the newest revision with
// a call that came before the write.
func (d *deployment) update(op authzedv1.RelationshipUpdate_Operation, relationship string) map[string]grants {
	d.t.Helper()
	parsed, err := tuple.ParseV1Rel(relationship)
	d.check(err)
	written, err := authzedv1.NewPermissionsServiceClient(d.spicedb.Conn()).WriteRelationships(d.t.Context(), &authzedv1.WriteRelationshipsRequest{
		Updates: []*authzedv1.RelationshipUpdate{{Operation: op, Relationship: parsed}},
	})
	d.check(err)
	return d.ask(&authzedv1.Consistency{Requirement: &authzedv1.Consistency_AtExactSnapshot{AtExactSnapshot: written.GetWrittenAt()}})
}

var newest = &authzedv1.Consistency{Requirement: &authzedv1.Consistency_FullyConsistent{FullyConsistent: true}}

// ask asks SpiceDB itself, object by object, what everybody holds.
func (d *deployment) ask(at *authzedv1.Consistency) map[string]grants {
	d.t.Helper()
	all := make(map[string]grants)
	for _, person := range people {
		g := grants{make(map[string]bool), make(map[string]bool)}
		d.askAbout(at, person, "doc", docs, g.docs)
		d.askAbout(at, person, "project", projects, g.projects)
		all[person] = g
	}
	return all
}

func (d *deployment) askAbout(at *authzedv1.Consistency, person, typ string, count int, held map[string]bool) {
	d.t.Helper()
	req := &authzedv1.CheckBulkPermissionsRequest{Consistency: at}
	for i := range count {
		req.Items = append(req.Items, &authzedv1.CheckBulkPermissionsRequestItem{
			Resource:   &authzedv1.ObjectReference{ObjectType: typ, ObjectId: fmt.Sprintf("%c%d", typ[0], i)},
			Permission: "view",
			Subject:    &authzedv1.SubjectReference{Object: &authzedv1.ObjectReference{ObjectType: "user", ObjectId: person}},
		})
	}
	answer, err := authzedv1.NewPermissionsServiceClient(d.spicedb.Conn()).CheckBulkPermissions(d.t.Context(), req)
	d.check(err)
	for _, pair := range answer.GetPairs() {
		if e := pair.GetError(); e != nil {
			d.t.Fatal(e)
		}
		if pair.GetItem().GetPermissionship() == authzedv1.CheckPermissionResponse_PERMISSIONSHIP_HAS_PERMISSION {
			held[pair.GetRequest().GetResource().GetObjectId()] = true
		}
	}
}

func (d *deployment) token(person string) string { return d.tokenFor(person, time.Hour) }

func (d *deployment) tokenFor(person string, lifetime time.Duration) string {
	d.t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": person, "exp": time.Now().Add(lifetime).Unix(),
	}).SignedString(secret)
	d.check(err)
	return token
}
