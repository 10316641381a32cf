package proxy_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
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
	grantsRuns = flag.Int("grants.runs", 3, "how many worlds the test of random collections makes")
	grantsSeed = flag.Uint64("grants.seed", 0, "the seed of the first of them")
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
	for _, document := range []string{"d1", "d2", "d3", "d4", "d5"} {
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
	var some []string
	for range 1 + w.r.IntN(2) {
		some = append(some, w.pool[w.r.IntN(len(w.pool))])
	}
	some = slices.Compact(some)
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

// grantsClient is a client of a collection. On demand it begins at the end of the log and
// asks for the rows as a subset.
type grantsClient struct {
	*follower
	w        *grantsWorld
	person   string
	name     string
	onDemand bool
	loaded   bool // on demand: it was sent a subset since it began
	refused  bool // it was answered 403, and dropped its rows
}

func newGrantsClient(w *grantsWorld, person, name string, onDemand bool) *grantsClient {
	c := &grantsClient{follower: w.follow(person, ""), w: w, person: person, name: name, onDemand: onDemand}
	c.path = "/v1/grants/" + name
	c.start()
	return c
}

func (c *grantsClient) String() string {
	return fmt.Sprintf("%s's client of %s (on demand %v)", c.person, c.name, c.onDemand)
}

func (c *grantsClient) start() {
	c.begin()
	c.loaded = !c.onDemand
	if c.onDemand {
		c.offset = "now"
	}
}

// anything has the client read in some way, at some replica, whole or cut.
func (c *grantsClient) anything() error {
	i, cut, url := c.w.r.IntN(2), neverCut, ""
	if url = c.w.urls[i]; c.w.r.IntN(3) == 0 {
		url, cut = c.w.cutters[i], c.w.r.IntN(900)
	}
	way := c.w.r.IntN(4)
	c.w.say("%v reads in way %d at replica %d, cut %d", c, way, i, cut)
	switch {
	case way == 3 && (c.handle != "" || c.onDemand):
		return c.askSubset(url, cut)
	case way == 2 && c.handle != "":
		batches := c.w.r.IntN(3)
		return c.forgiven(c.stream(c.w.context(), url, cut, func() bool { batches--; return batches <= 0 }))
	case way == 1 && c.handle != "":
		return c.readOn(url, "live=true&", cut)
	default:
		return c.readOn(url, "", cut)
	}
}

// readOn reads one answer of the log and, on demand, all rows before that.
func (c *grantsClient) readOn(url, live string, cut int) error {
	if c.onDemand && !c.loaded {
		if err := c.askSubset(url, cut); err != nil || !c.loaded {
			return err
		}
	}
	body, header, err := c.ask(url, live+c.mode()+"offset="+c.offset+c.handled(), cut)
	var list []message
	if err != nil || header == nil || json.Unmarshal(body, &list) != nil {
		return err
	}
	c.apply(list)
	c.adopt(header)
	return nil
}

// askSubset asks for all rows, under the client's handle if it has one.
func (c *grantsClient) askSubset(url string, cut int) error {
	body, header, err := c.ask(url, c.mode()+"offset="+c.offset+c.handled()+"&"+query("subset__where", "true = true"), cut)
	var s subsetAnswer
	if err != nil || header == nil || json.Unmarshal(body, &s) != nil {
		return err
	}
	c.apply(s.Data)
	c.adopt(header)
	c.loaded = true
	return nil
}

func (c *grantsClient) mode() string {
	if c.onDemand {
		return "log=changes_only&"
	}
	return ""
}

func (c *grantsClient) handled() string {
	if c.handle == "" {
		return ""
	}
	return "&handle=" + url.QueryEscape(c.handle)
}

// ask returns a whole answer. The header is nil if there is none, which is no error.
func (c *grantsClient) ask(url, q string, cut int) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeout(c.w.t.Context(), deadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+c.path+"?"+q, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header = c.header.Clone()
	req.Header.Set("Accept-Encoding", "identity")
	if cut != neverCut {
		req.Header.Set(cutAfter, strconv.Itoa(cut))
	}
	resp, err := c.w.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer closing(resp.Body)
	ok, err := c.status(resp)
	if !ok {
		return nil, nil, c.forgiven(err)
	}
	c.refused = false
	body, err := io.ReadAll(resp.Body)
	if err != nil || !json.Valid(body) {
		if cut == neverCut {
			return nil, nil, fmt.Errorf("%v: not a whole answer: %w: %s", c, err, body)
		}
		return nil, nil, nil
	}
	return body, resp.Header, nil
}

// forgiven is an error that is none for a client: after a 403 it drops its rows, and begins
// anew. That it was told to begin anew otherwise is an error.
func (c *grantsClient) forgiven(err error) error {
	if err != nil && err.Error() == "status 403" {
		c.start()
		c.refused = true
		return nil
	}
	if c.refetch > 0 {
		c.refetch = 0
		c.start()
		if c.name != "office_actions" {
			return fmt.Errorf("%v was told to begin anew", c)
		}
	}
	return err
}

// wasEverTrue is an error if the client was sent a permission that its person never had.
func (c *grantsClient) wasEverTrue() error {
	for id, row := range c.rows {
		var values map[string]string
		if err := json.Unmarshal([]byte(row), &values); err != nil {
			return err
		}
		for _, permission := range guardedCollections[c.name] {
			if values[permission] == "true" && !c.w.ever[c.person+" "+permission+" "+id] {
				return fmt.Errorf("%v was sent %s of %s", c, permission, id)
			}
		}
	}
	return nil
}

func (c *grantsClient) holdsExactlyItsRows() error {
	subject := authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: c.person}}
	open, err := c.w.engine.CheckPermission(c.w.context(), subject, authz.ObjectRef{Type: "workspace", ID: "main"}, "sync", nil)
	if err != nil {
		return err
	}
	if open = open || c.name != "office_actions"; open == c.refused {
		return fmt.Errorf("%v: the gate is open: %v, and it was refused: %v", c, open, c.refused)
	}
	want := make(map[string]string)
	if open {
		want, err = c.w.rowsOf(c.person, guardedCollections[c.name])
	}
	if err == nil && !maps.Equal(want, c.rows) {
		err = fmt.Errorf("%v holds %v, want %v", c, c.rows, want)
	}
	return err
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
