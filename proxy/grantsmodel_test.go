package proxy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy"
)

// Whatever relationships change, and however the clients of collections of grants read, at
// one replica or at the other, whole or cut: nobody is ever sent a permission that the
// person never had, nobody has to begin anew but behind a gate that was shut, and once nothing changes any more each client
// holds exactly the rows that SpiceDB grants.

var (
	grantsRuns = flag.Int("grants.runs", 6, "how many worlds the test of random collections makes")
	grantsSeed = flag.Uint64("grants.seed", 10, "the seed of the first of them")
)

func TestClientsOfCollectionsEndWithExactlyTheirRows(t *testing.T) {
	for n := range *grantsRuns {
		seed := *grantsSeed + uint64(n)
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			runGrants(t, seed)
		})
	}
}

func runGrants(t *testing.T, seed uint64) {
	w := newGrantsWorld(t, seed)
	const steps, perRest = 80, 10
	for n := range steps {
		w.step()
		if n%perRest == perRest-1 {
			w.rest()
		}
	}
}

// grantsWorld is two replicas, and the clients of two people.
type grantsWorld struct {
	*pair
	r       *rand.Rand
	cutters []string // in front of the replicas
	pool    []string // relationships that come and go
	last    []string // those of the last change
	held    map[string]bool
	clients []*grantsClient
	ever    map[string]bool // "alice edit d1": what somebody ever had
	did     []string
}

// guardedCollections are the collections and their permissions. Those of an office are
// behind a gate.
var guardedCollections = map[string][]string{"actions": {"edit", "share"}, "office_actions": {"edit"}, "vault_actions": {"edit", "share"}}

const officeGate = "workspace:main#member@user:"

func newGrantsWorld(t *testing.T, seed uint64) *grantsWorld {
	w := &grantsWorld{
		pair: twoReplicas(deploy(t, editing, shortStreams, configured(func(c *proxy.Config) { c.LongPollTimeout = 20 * time.Millisecond }))),
		r:    rand.New(rand.NewPCG(seed, 1)), held: map[string]bool{}, ever: map[string]bool{},
	}
	for _, to := range w.urls {
		w.cutters = append(w.cutters, w.cutting(to))
	}
	for _, held := range relationships {
		w.held[held] = true
	}
	for _, document := range []string{"d1", "d2", "d3"} {
		for _, person := range []string{"alice", "bob"} {
			w.pool = append(w.pool, edits(person, document), owns(person, document))
		}
		for _, group := range []string{"g1", "g2"} {
			w.pool = append(w.pool, "document:"+full(document)+"#editor@group:"+group+"#member")
		}
	}
	for _, person := range []string{"alice", "bob"} {
		w.pool = append(w.pool, "group:g1#member@user:"+person, "group:g2#member@user:"+person, officeGate+person)
		for _, name := range slices.Sorted(maps.Keys(guardedCollections)) {
			for _, onDemand := range []bool{false, true} {
				w.clients = append(w.clients, newGrantsClient(w, person, name, onDemand))
			}
		}
	}
	w.r.Shuffle(len(w.clients), func(i, j int) { w.clients[i], w.clients[j] = w.clients[j], w.clients[i] })
	w.clients = w.clients[:4]
	w.remember()
	return w
}

func (w *grantsWorld) say(format string, args ...any) {
	w.did = append(w.did, fmt.Sprintf(format, args...))
}

// must fails with what was done before.
func (w *grantsWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		for _, line := range w.did {
			w.t.Log(line)
		}
		for line := range strings.Lines(w.logged.String()) {
			if strings.Contains(line, "level=ERROR") {
				w.t.Log(line)
			}
		}
		w.t.Fatal(err)
	}
}

// step changes a relationship, has a client read, or both at once.
func (w *grantsWorld) step() {
	c := w.clients[w.r.IntN(len(w.clients))]
	change := w.nextChange()
	switch w.r.IntN(4) {
	case 0:
		w.must(change())
	case 1:
		w.must(c.anything())
	default:
		changed := make(chan error, 1)
		go func() { changed <- change() }()
		err := c.anything()
		w.must(<-changed)
		w.remember()
		w.must(err)
	}
	w.remember()
	w.must(c.wasEverTrue())
}

// nextChange chooses some relationships, and returns what writes or deletes them.
func (w *grantsWorld) nextChange() func() error {
	some := w.last // what was given or taken is often taken or given back
	if w.r.IntN(3) > 0 || some == nil {
		some = []string{w.pool[w.r.IntN(len(w.pool))], w.pool[w.r.IntN(len(w.pool))]}[:1+w.r.IntN(2)]
		some = slices.Compact(some)
	}
	w.last = some
	change, held := w.spicedb.Touch, w.held[some[0]]
	if held {
		change = w.spicedb.Delete
	}
	for _, one := range some {
		w.held[one] = !held
	}
	w.say("held %v: %v", !held, some)
	return func() error { return change(w.context(), some...) }
}

// rest compares each client with SpiceDB, after it has read to the end.
func (w *grantsWorld) rest() {
	w.t.Helper()
	w.say("rest")
	w.heardBoth()
	w.remember()
	for _, c := range w.clients {
		i := w.r.IntN(2)
		w.must(c.readOn(w.urls[i], "", neverCut))
		if c.offset == "-1" || c.offset == "now" { // told to begin anew
			w.must(c.readOn(w.urls[i], "", neverCut))
		}
		w.must(c.holdsExactlyItsRows())
	}
}

// remember notes what everybody may do now.
func (w *grantsWorld) remember() {
	for _, person := range []string{"alice", "bob"} {
		for _, permission := range []string{"edit", "share"} {
			for _, id := range w.objects(person, permission) {
				w.ever[person+" "+permission+" "+id] = true
			}
		}
	}
}

// objects are the documents on which a person holds a permission, by SpiceDB itself.
func (w *grantsWorld) objects(person, permission string) (ids []string) {
	_, err := w.engine.LookupResources(w.context(), authz.Lookup{
		Subject: authz.ObjectRef{Type: "user", ID: person}, ResourceType: "document", Permission: permission,
	}, func(id string) { ids = append(ids, short(id)) })
	w.must(err)
	return ids
}

// rowsOf are the rows of a collection, spelled as a follower's.
func (w *grantsWorld) rowsOf(person string, permissions []string) (map[string]string, error) {
	values := make(map[string]map[string]string)
	for _, permission := range permissions {
		for _, id := range w.objects(person, permission) {
			if values[id] == nil {
				values[id] = map[string]string{"id": full(id)}
				for _, p := range permissions {
					values[id][p] = "false"
				}
			}
			values[id][permission] = "true"
		}
	}
	rows := make(map[string]string, len(values))
	for id, row := range values {
		text, err := json.Marshal(row)
		if err != nil {
			return nil, err
		}
		rows[id] = string(text)
	}
	return rows, nil
}
