package rowfilter_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// trap is a story in which it is easy to send too much, or too little.
type trap struct {
	name    string
	filters []string // nil: one, on the project
	story   func(s *story)
}

// Every trap is told for a client that polls, and for one that reads event streams.
func TestTraps(t *testing.T) {
	for _, trap := range traps {
		for name, polls := range map[string]bool{"polls": true, "streams": false} {
			t.Run(trap.name+"/"+name, func(t *testing.T) { trap.run(t, polls) })
		}
	}
}

// story is a world of the model in which only that happens which the trap says.
type story struct {
	t *testing.T
	w *world
	f *front
	c *client

	polls bool // the client polls; false: it reads event streams
	heard []string
}

// run tells a story, and compares at rest.
func (trap trap) run(t *testing.T, polls bool) {
	filters := trap.filters
	if filters == nil {
		filters = []string{"project"}
	}
	s := &story{t: t, w: newWorld(rand.New(rand.NewPCG(1, 1)), filters...), polls: polls}
	s.w.still, s.w.stops, s.w.loses = true, 0, 0
	rule := &rowfilter.Rule{Schema: "public", Table: "t", Key: []string{"id"}, Filters: filters}
	s.f = &front{w: s.w, full: true, rule: rule, ghosts: make(map[string]*ghost), stats: new(stats)}
	s.c = &client{w: s.w, rows: make(map[string]map[string]string), fronts: []*front{s.f}}
	defer func() {
		if v, ok := recover().(violation); ok {
			t.Error(v.reason)
		}
		if t.Failed() {
			t.Log("\n" + strings.Join(s.w.trace, "\n"))
		}
	}()
	trap.story(s)
	s.holds()
}

// writes runs statements in one transaction: "r1 a" writes row r1 in project a, "r1" deletes it.
func (s *story) writes(statements ...string) {
	s.w.tick++
	t := s.w.begin()
	for _, statement := range statements {
		id, project, there := strings.Cut(statement, " ")
		old := s.w.seenBy(t, id)
		made := &version{id: id, project: project, title: "t" + strconv.Itoa(len(s.w.versions)), until: forever}
		switch {
		case !there:
			s.w.put(t, write{operation: "delete", old: old})
		case old == nil:
			s.w.put(t, write{operation: "insert", new: made})
		default:
			s.w.put(t, write{operation: "update", old: old, new: made})
		}
	}
	s.w.commit()
}

// changes gives or takes ids of the last filter: one relationship for each.
func (s *story) changes(ids string) { s.change(s.w.direct, ids, true) }

// changesGroup gives or takes ids by way of a group.
func (s *story) changesGroup(ids string) { s.change(s.w.group, ids, false) }

func (s *story) change(which []map[string]bool, ids string, one bool) {
	s.w.tick++
	f := len(which) - 1
	for _, id := range strings.Fields(ids) {
		was := s.w.isGranted(f, id)
		if which[f][id] = !which[f][id]; one && was && !s.w.isGranted(f, id) {
			s.w.losses = append(s.w.losses, loss{s.w.tick, f, id})
		}
	}
	s.w.record()
}

// catchesUp lets the log come.
func (s *story) catchesUp() { s.w.sent, s.f.seen = len(s.w.log), len(s.w.log) }

// reads is one request whose answer arrives.
func (s *story) reads(want ...string) { s.t.Helper(); s.request(true, want) }

// loses is one request whose answer is lost: of a stream, all but the headers.
func (s *story) loses(want ...string) { s.t.Helper(); s.request(false, want) }

func (s *story) request(arrives bool, want []string) {
	s.t.Helper()
	s.w.tick++
	s.heard = nil
	switch {
	case s.c.handle == "" || s.polls:
		a := answer{}
		if s.c.handle == "" {
			a = s.f.initial()
		} else {
			a = s.f.catchUp(s.c.handle, s.c.offset)
		}
		for _, m := range a.messages {
			s.hear(m)
		}
		if arrives {
			s.c.adopt(a)
		}
	default:
		left := 2
		if arrives {
			left = 1000
		}
		if s.f.stream(s.c.handle, s.c.offset, &listening{&streaming{c: s.c, left: left}, s}) {
			s.t.Error("must-refetch")
		}
	}
	if !slices.Equal(s.heard, want) {
		s.t.Errorf("the answer has %q, want %q", s.heard, want)
	}
}

// listening notes what goes by.
type listening struct {
	*streaming
	s *story
}

func (l *listening) event(m []byte) {
	l.s.hear(m)
	l.streaming.event(m)
}

func (s *story) hear(message []byte) {
	var m struct {
		Value   map[string]string
		Headers struct{ Operation string }
	}
	if err := json.Unmarshal(message, &m); err != nil {
		s.t.Fatal(err)
	}
	s.heard = append(s.heard, strings.TrimSpace(m.Headers.Operation+" "+idOf(message)+" "+m.Value["project"]))
}

// holds compares at rest.
func (s *story) holds() {
	s.t.Helper()
	s.catchesUp()
	if reason := s.c.rest(); reason != "" {
		s.t.Error(reason)
	}
}

var traps = []trap{
	{name: "what was written before a grant is not sent", story: func(s *story) {
		s.reads()
		s.writes("r1 a")
		s.writes("r1 a")
		s.catchesUp()
		s.changes("a")
		s.reads("insert r1 a")
		s.reads()
	}},
	{name: "what was written while a grant was taken away is not sent", story: func(s *story) {
		s.changes("a b")
		s.writes("r1 a", "r2 b")
		s.catchesUp()
		s.reads("insert r1 a", "insert r2 b")
		s.changes("a")
		s.writes("r1 a")
		s.writes("r1 a")
		s.writes("r2 b")
		s.catchesUp()
		s.changes("a")
		s.reads("update r2 b", "insert r1 a")
	}},
	{name: "a row that moves into a grant has no past", story: func(s *story) {
		s.changes("a")
		s.reads()
		s.writes("r1 x")
		s.writes("r1 a")
		s.catchesUp()
		s.reads("insert r1 a")
	}},
	{name: "a late message does not send the past of a granted row", story: func(s *story) {
		s.reads()
		s.writes("r1 a")
		s.writes("r1 a")
		s.changes("a")
		s.reads("insert r1 a")
		s.changes("b")
		s.reads()
		s.catchesUp()
		s.reads()
		s.writes("r1 a")
		s.catchesUp()
		s.reads("update r1 a")
	}},
	{name: "a late message deletes a row that left a lost grant", story: func(s *story) {
		s.changes("a")
		s.writes("r1 a", "r2 a")
		s.catchesUp()
		s.reads("insert r1 a", "insert r2 a")
		s.writes("r1 b")
		s.changes("a")
		s.reads("delete r2")
		s.catchesUp()
		s.reads("delete r1")
	}},
	{name: "a late message does not take away a row that went on", story: func(s *story) {
		s.changes("a")
		s.writes("r1 a")
		s.catchesUp()
		s.reads("insert r1 a")
		s.writes("r1 x")
		s.writes("r1 b")
		s.changes("b")
		s.reads("insert r1 b")
		s.catchesUp()
		s.reads("insert r1 b") // the present, once more
	}},
	// The row came into a kept grant and went on into a gained one. The message that it came
	// is sent, as an older state; so the one that it went must not be passed over.
	{name: "a late message does not leave an older state behind", story: func(s *story) {
		s.changes("a")
		s.writes("r1 x")
		s.catchesUp()
		s.reads()
		s.writes("r1 a")
		s.writes("r1 b")
		s.changes("b")
		s.reads("insert r1 b")
		s.catchesUp()
		s.reads("insert r1 a", "insert r1 b")
	}},
	{name: "a late message does not end a row that was made again", story: func(s *story) {
		s.changes("a")
		s.writes("r1 a")
		s.catchesUp()
		s.writes("r1", "r1 a")
		s.reads("insert r1 a")
		s.catchesUp()
		s.reads()
		s.changes("a")
		s.changes("a")
		s.writes("r1", "r1 a")
		s.reads("insert r1 a")
		s.catchesUp()
		s.reads("insert r1 a")
	}},
	{name: "a late message ends a row that a lost stream brought", story: func(s *story) {
		s.writes("r1 a")
		s.catchesUp()
		s.reads()
		s.changes("a")
		s.loses("insert r1 a")
		s.writes("r1")
		s.reads()
		s.catchesUp()
		if s.polls {
			s.reads()
		} else {
			s.reads("delete r1") // it may be there
		}
	}},
	{name: "a row that another filter still reaches stays", filters: []string{"id", "project"}, story: func(s *story) {
		s.w.direct[0]["r1"] = true
		s.changes("a")
		s.writes("r1 a", "r2 a")
		s.catchesUp()
		s.reads("insert r1 a", "insert r2 a")
		s.changes("a")
		s.reads("insert r1 a", "delete r2")
	}},
	// A read that does not reach the end of the log has no resync. It moves the client past
	// the mark of one that was lost.
	{name: "a lost resync is not acknowledged by another answer", story: func(s *story) {
		s.changes("a")
		s.writes("r1 a")
		s.catchesUp()
		s.reads("insert r1 a")
		s.changes("a")
		s.polls = false
		s.loses("delete r1")
		s.writes("r2 x")
		s.writes("r3 x")
		s.catchesUp()
		s.polls, s.w.stops = true, 100
		s.reads()
		s.w.stops = 0
		if s.c.offset.LSN() < 1016 {
			s.t.Fatalf("the read brought the client to %s", s.c.offset)
		}
		s.reads("delete r1")
	}},
	// Such a read leaves out what is lost today, though its handle names it as served.
	{name: "what a read without a resync left out comes", story: func(s *story) {
		s.changesGroup("a")
		s.writes("r1 a")
		s.catchesUp()
		s.reads("insert r1 a")
		s.writes("r1 a")
		s.writes("r2 x")
		s.catchesUp()
		s.changesGroup("a")
		s.polls, s.w.stops = true, 100
		s.reads() // the write is left out
		s.w.stops = 0
		s.changesGroup("a")
		s.reads("insert r1 a")
	}},
	// A resync that went out took a grant away that was given back, by way of a group, before
	// the client came back.
	{name: "what a lost resync took away comes back", story: func(s *story) {
		s.changesGroup("a")
		s.writes("r1 a")
		s.catchesUp()
		s.reads("insert r1 a")
		s.changesGroup("a")
		s.polls = false
		s.loses("delete r1")
		s.writes("r1 a") // not for the client
		s.writes("r1 a")
		s.catchesUp()
		s.changesGroup("a")
		s.reads("insert r1 a")
	}},
}
