package rowfilter_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// Each run is a world of its own: a table, transactions that overlap, a log that lags,
// grants that change, two replicas of the proxy, and one client that reads through them
// and loses answers. What must hold:
//
//   - nothing is sent that is not granted at the time, or was never granted while the row
//     was so, and no key of a row that no grant has ever reached;
//   - once nothing changes any more, the client holds exactly the rows that are granted,
//     as they are.

var (
	modelRuns = flag.Int("model.runs", 25, "how many worlds TestModel makes of each kind")
	modelSeed = flag.Uint64("model.seed", 0, "the seed of the first world of TestModel; worlds of one seed are equal")
)

// kind is what a world is like.
type kind struct {
	name     string
	filters  []string
	full     bool // replica=full
	onDemand bool
}

var kinds = []kind{
	{"key", []string{"id"}, false, false},
	{"key with whole rows", []string{"id"}, true, false},
	{"container", []string{"project"}, true, false},
	{"two filters", []string{"id", "project"}, true, false},
	{"key, on demand", []string{"id"}, false, true},
	{"container, on demand", []string{"project"}, true, true},
	{"two filters, on demand", []string{"project", "id"}, true, true},
}

func TestModel(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			var total stats
			for n := range *modelRuns {
				total.add(runModel(t, k, *modelSeed+uint64(n), false))
				if t.Failed() {
					return
				}
			}
			t.Logf("%+v", total)
			if total.refetches*50 > total.answers {
				t.Errorf("%d of %d answers were must-refetch", total.refetches, total.answers)
			}
		})
	}
}

func (s *stats) add(more stats) {
	s.answers += more.answers
	s.refetches += more.refetches
	s.resyncs += more.resyncs
	s.asked += more.asked
	s.acknowledged += more.acknowledged
	s.collapsed += more.collapsed
}

// runModel runs one world.
func runModel(t *testing.T, k kind, seed uint64, verbose bool) (s stats) {
	t.Helper()
	w := newWorld(rand.New(rand.NewPCG(seed, 1)), k.filters...)
	rule := &rowfilter.Rule{Schema: "public", Table: "t", Key: []string{"id"}, Filters: k.filters}
	ghosts := make(map[string]*ghost)
	c := &client{w: w, onDemand: k.onDemand, rows: make(map[string]map[string]string)}
	for range 2 {
		c.fronts = append(c.fronts, &front{w: w, full: k.full, rule: rule, ghosts: ghosts, stats: &s})
	}
	fail := func(reason string) {
		trace := w.trace
		if len(trace) > 200 && !verbose {
			trace = trace[len(trace)-200:]
		}
		t.Errorf("%s, seed %d: %s\n%s", k.name, seed, reason, strings.Join(trace, "\n"))
	}
	defer func() {
		switch v := recover().(type) {
		case nil:
		case violation:
			fail(v.reason)
		default:
			fail("panic")
			panic(v)
		}
	}()
	for range 5 {
		for range 25 {
			w.churn()
			c.act()
		}
		if reason := c.rest(); reason != "" {
			fail(reason)
			return s
		}
	}
	return s
}

// client is a client of Electric's protocol.
type client struct {
	w        *world
	fronts   []*front
	onDemand bool

	handle string
	offset electric.Offset
	rows   map[string]map[string]string // by id
	batch  [][]byte                     // not applied before up-to-date
	snaps  []snap
	asked  map[string]bool
	last   answer // of the last read that settles
}

// snap is a subset that the client was given: what the log has of these rows from before
// is not applied.
type snap struct {
	fence electric.Fence
	ids   map[string]bool
}

// act makes one request.
func (c *client) act() {
	f := pick(c.w, c.fronts)
	switch {
	case c.handle == "" && c.onDemand && c.w.chance(30):
		c.subset(f)
	case c.handle == "" && c.onDemand:
		c.adopt(f.onlyNow())
	case c.handle == "":
		c.adopt(f.initial())
	case c.onDemand && c.w.chance(30):
		c.subset(f)
	case c.w.chance(50):
		s := &streaming{c: c, left: c.w.rng.IntN(12)}
		if c.w.chance(40) {
			s.left = 1000
		}
		if f.stream(c.handle, c.offset, s) {
			c.restart()
		}
	default:
		c.adopt(f.catchUp(c.handle, c.offset))
	}
}

func (c *client) restart() {
	c.w.note("must-refetch")
	c.handle, c.offset = "", electric.Start
	clear(c.rows)
	c.batch, c.snaps, c.asked = nil, nil, nil
}

// adopt takes a JSON answer as a whole, unless it is lost.
func (c *client) adopt(a answer) {
	switch {
	case a.refetch:
		c.restart()
		return
	case a.broken, !c.w.still && c.w.chance(c.w.loses):
		c.w.note("the answer is lost")
		return
	}
	c.handle, c.offset = a.handle, a.offset
	for _, m := range a.messages {
		c.receive(m)
	}
	if a.upToDate {
		c.apply(a.lastSeen)
	}
}

// streaming is a client's end of an event stream. It is gone after some events.
type streaming struct {
	c     *client
	left  int
	batch [][]byte
}

func (s *streaming) gone() bool {
	if s.left--; s.left == 0 {
		s.c.w.note("the stream is lost")
	}
	return s.left <= 0
}

func (s *streaming) headers(handle string, offset electric.Offset) {
	if !s.gone() {
		s.c.handle, s.c.offset = handle, offset
	}
}

func (s *streaming) event(m []byte) {
	if !s.gone() {
		s.batch = append(s.batch, slices.Clone(m))
	}
}

func (s *streaming) upToDate(lsn uint64) {
	s.c.w.note("    up-to-date %d", lsn)
	if s.gone() {
		return
	}
	for _, m := range s.batch {
		s.c.receive(m)
	}
	s.batch = nil
	s.c.apply(lsn)
	s.c.offset, _ = electric.ParseOffset(fmt.Sprintf("%d_0", lsn))
}

// subset asks for some rows. No other answer is on its way.
func (c *client) subset(f *front) {
	var only map[string]bool
	if c.w.chance(60) {
		only = map[string]bool{pick(c.w, rowIDs()): true, pick(c.w, rowIDs()): true}
	}
	a, fence := f.subset(c.handle, c.offset, only)
	if a.broken || c.w.chance(c.w.loses) {
		c.w.note("the answer is lost")
		return
	}
	c.handle, c.offset = a.handle, a.offset
	s := snap{fence, make(map[string]bool)}
	for _, m := range a.messages {
		id := idOf(m)
		s.ids[id] = true
		c.batch = append(c.batch, m)
	}
	c.apply(0) // in the order in which they came
	c.snaps = append(c.snaps, s)
	if c.asked == nil {
		c.asked = make(map[string]bool)
	}
	for _, id := range rowIDs() {
		c.asked[id] = c.asked[id] || only == nil || only[id]
	}
}

func idOf(message []byte) string {
	m, err := electric.ParseMessage(message)
	if err != nil {
		panic(err)
	}
	text, err := electric.Unquote(m.Key())
	if err != nil {
		panic(err)
	}
	values, ok := electric.KeyColumns(string(text), "public", "t")
	if !ok {
		panic("not a key: " + string(text))
	}
	return *values[0]
}

// receive keeps a message for the next up-to-date, unless a subset has seen it.
func (c *client) receive(message []byte) {
	m, err := electric.ParseMessage(message)
	if err != nil {
		panic(err)
	}
	for _, s := range c.snaps {
		if s.ids[idOf(message)] && m.SeenBy(&s.fence) {
			return
		}
	}
	c.batch = append(c.batch, slices.Clone(message))
}

// apply takes what was received, and forgets the subsets that the log has passed.
func (c *client) apply(lsn uint64) {
	for _, m := range c.batch {
		c.take(m)
	}
	c.batch = nil
	c.snaps = slices.DeleteFunc(c.snaps, func(s snap) bool { return lsn >= s.fence.LSN() })
}

func (c *client) take(message []byte) {
	var m struct {
		Value   map[string]string
		Headers struct{ Operation string }
	}
	if err := json.Unmarshal(message, &m); err != nil {
		panic(err)
	}
	id := idOf(message)
	switch m.Headers.Operation {
	case "insert":
		c.rows[id] = m.Value
	case "update":
		row, ok := c.rows[id]
		if !ok {
			if c.onDemand {
				return
			}
			row = make(map[string]string)
		}
		row = maps.Clone(row)
		maps.Copy(row, m.Value)
		c.rows[id] = row
	case "delete":
		delete(c.rows, id)
	}
}

// rest lets everything come to an end, and compares what the client holds with what is
// granted.
func (c *client) rest() string {
	w := c.w
	w.note("rest")
	for len(w.running) > 0 {
		w.tick++
		w.commit()
	}
	w.sent = len(w.log)
	for _, f := range c.fronts {
		f.seen = w.sent
	}
	w.still, c.last = true, answer{}
	for n := 0; n < 20 && !c.settled(); n++ {
		c.settle()
	}
	w.still = false
	return c.compare()
}

func (c *client) settle() {
	f := pick(c.w, c.fronts)
	switch {
	case c.handle == "" && c.onDemand:
		c.adopt(f.onlyNow())
	case c.handle == "":
		c.adopt(f.initial())
	default:
		a := f.catchUp(c.handle, c.offset)
		c.last = a
		c.adopt(a)
	}
}

func (c *client) settled() bool { return c.last.quiet && c.handle == c.last.handle }

func (c *client) compare() string {
	want := make(map[string]string)
	for id, v := range c.w.table {
		for f, name := range c.w.filters {
			if c.w.isGranted(f, v.column(name)) {
				want[id] = v.json()
			}
		}
	}
	for _, id := range rowIDs() {
		row, held := c.rows[id]
		got := fmt.Sprintf(`{"id":%q,"project":%q,"title":%q}`, row["id"], row["project"], row["title"])
		switch {
		case held && want[id] == "":
			return fmt.Sprintf("%s is held and not granted", got)
		case held && got != want[id]:
			return fmt.Sprintf("%s is held, and the row is %s", got, want[id])
		case !held && want[id] != "" && (!c.onDemand || c.asked[id]):
			return fmt.Sprintf("%s is granted and not held", want[id])
		}
	}
	return ""
}
