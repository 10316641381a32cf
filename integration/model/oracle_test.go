package model_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// row is a row as the oracle knows it. Every version of every row has a body of its
// own, so that what is received tells when it was written.
type row struct{ project, body string }

// grants is what one person holds, by SpiceDB's own word.
type grants struct{ docs, projects map[string]bool }

// shape is how a shape of shapesYAML makes rows visible, said a second time.
type shape struct {
	name  string
	sees  func(g grants, id string, r row) bool
	byKey bool // of a row that went, the id that was granted may be told
}

var shapes = []shape{
	{"bykey", func(g grants, id string, _ row) bool { return g.docs[id] }, true},
	{"strict", func(g grants, id string, _ row) bool { return g.docs[id] }, true},
	{"byproject", func(g grants, _ string, r row) bool { return g.projects[r.project] }, false},
	{"both", func(g grants, id string, r row) bool { return g.docs[id] || g.projects[r.project] }, false},
}

// state is a row as it was.
type state struct {
	id string
	row
}

// view is one person's look at one shape.
type view struct {
	person string
	shape  *shape
}

// oracle knows what is there, who may see it, and what each person was ever allowed
// to receive.
type oracle struct {
	// changing is held while SpiceDB is changed and asked what that means: what is
	// received meanwhile is judged afterwards.
	changing sync.RWMutex

	mu     sync.Mutex
	rows   map[string]row
	grants map[string]grants // by person
	bodies map[view]map[string]bool
	ids    map[view]map[string]bool

	// recent is what each person held since the last rest, and past every state that rows
	// had since then. A delete may name the key of any row that such a grant reaches in any
	// of its states: Electric's log may tell late that a row left.
	recent map[string]grants
	past   []state

	// kept is what each view's client held when it last adopted an answer. What it holds
	// then and at the next answer counts as kept in between, but for an object that was
	// taken away by deleting a relationship of that one object.
	kept   map[view]grants
	asking map[view]grants // as of the beginning of the request

	// forgetful is for restarts and for a replica that a client has not asked yet: such a
	// process did not see what was taken away before.
	forgetful bool

	// lax is for a SpiceDB that is not always heard of: what a person held since the last
	// rest, it may still be permitted. Rests come more often than the staleness bound.
	lax bool
}

// violation says that something was received that was never permitted.
type violation string

func (v violation) Error() string { return string(v) }

func newOracle() *oracle {
	return &oracle{
		rows: make(map[string]row), grants: make(map[string]grants),
		bodies: make(map[view]map[string]bool), ids: make(map[view]map[string]bool),
		recent: make(map[string]grants), kept: make(map[view]grants), asking: make(map[view]grants),
	}
}

// visible returns the rows that a view shows now, by id: their project and body.
func (o *oracle) visible(v view) map[string]row {
	o.mu.Lock()
	defer o.mu.Unlock()
	shown := make(map[string]row)
	for id, r := range o.rows {
		if v.shape.sees(o.grants[v.person], id, r) {
			shown[id] = r
		}
	}
	return shown
}

// write changes a row, or deletes it. Who could see it under the grants of now, or
// of before, may receive it.
func (o *oracle) write(id string, r *row, before map[string]grants) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r == nil {
		delete(o.rows, id)
	} else {
		o.rows[id] = *r
		o.past = append(o.past, state{id, *r})
		for v := range o.ids {
			if v.shape.sees(o.recent[v.person], id, *r) {
				o.ids[v][id] = true
			}
			if v.shape.sees(o.kept[v], id, *r) {
				o.bodies[v][r.body], o.ids[v][id] = true, true
			}
		}
	}
	o.note(o.current())
	if before != nil {
		o.note(before)
	}
}

// grant puts other grants in the place of those before.
func (o *oracle) grant(all map[string]grants) (before map[string]grants) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before = o.grants
	o.grants = all
	for person, g := range all {
		if _, ok := o.recent[person]; !ok {
			o.recent[person] = grants{make(map[string]bool), make(map[string]bool)}
		}
		maps.Copy(o.recent[person].docs, g.docs)
		maps.Copy(o.recent[person].projects, g.projects)
	}
	for v := range o.ids {
		for _, s := range o.past {
			if v.shape.sees(o.recent[v.person], s.id, s.row) {
				o.ids[v][s.id] = true
			}
		}
	}
	o.note(o.current())
	return before
}

// current returns the grants that rows may be sent by.
func (o *oracle) current() map[string]grants {
	if o.lax {
		return o.recent
	}
	return o.grants
}

// asks notes that a view's client sends a request, and adopts that it takes the answer. The
// answer may have what SpiceDB was told a moment ago and the oracle is about to know.
func (o *oracle) asks(v view) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asking[v] = copyOf(o.grants[v.person])
}

func (o *oracle) adopts(v view) {
	o.changing.RLock()
	defer o.changing.RUnlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept[v] = both(o.asking[v], o.grants[v.person])
}

// interrupt notes that a relationship of one object was deleted. One of a person concerns
// that person alone.
func (o *oracle) interrupt(object, subject string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.forgetful {
		return
	}
	_, id, _ := strings.Cut(object, ":")
	person, isPerson := strings.CutPrefix(subject, "user:")
	for _, all := range []map[view]grants{o.kept, o.asking} {
		for v, g := range all {
			if isPerson && v.person != person {
				continue
			}
			delete(g.docs, id)
			delete(g.projects, id)
		}
	}
}

func copyOf(g grants) grants { return both(g, grants{}) }

func both(g, h grants) grants {
	u := grants{make(map[string]bool), make(map[string]bool)}
	for _, x := range []grants{g, h} {
		maps.Copy(u.docs, x.docs)
		maps.Copy(u.projects, x.projects)
	}
	return u
}

// rested notes that everybody was told of everything.
func (o *oracle) rested() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.past = nil
	for id, r := range o.rows {
		o.past = append(o.past, state{id, r})
	}
	o.recent = make(map[string]grants)
	for person, g := range o.grants {
		o.recent[person] = grants{maps.Clone(g.docs), maps.Clone(g.projects)}
	}
}

// note remembers what everybody may see under some grants.
func (o *oracle) note(all map[string]grants) {
	for i := range shapes {
		for person, g := range all {
			v := view{person, &shapes[i]}
			if o.bodies[v] == nil {
				o.bodies[v], o.ids[v] = make(map[string]bool), make(map[string]bool)
			}
			for id, r := range o.rows {
				if v.shape.sees(g, id, r) {
					o.bodies[v][r.body], o.ids[v][id] = true, true
				}
			}
			if v.shape.byKey {
				maps.Copy(o.ids[v], g.docs)
			}
		}
	}
}

// judge says what is wrong with a view receiving an id, and a body if there is one.
func (o *oracle) judge(v view, id, body string) error {
	o.changing.RLock()
	defer o.changing.RUnlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !o.ids[v][id]:
		return violationOf("%s received the id %s of %s, which was never permitted", v.person, id, v.shape.name)
	case body != "" && !o.bodies[v][body]:
		return violationOf("%s received %s of %s in %s, which was never permitted while it was current", v.person, body, id, v.shape.name)
	}
	return nil
}

func violationOf(format string, args ...any) error { return violation(fmt.Sprintf(format, args...)) }

// difference says how the rows of a client are not those of its view.
func (o *oracle) difference(v view, has map[string]row) error {
	want := o.visible(v)
	if maps.Equal(want, has) {
		return nil
	}
	return fmt.Errorf("%s holds %v of %s, and should hold %v", v.person, inOrder(has), v.shape.name, inOrder(want))
}

func inOrder(rows map[string]row) (all []string) {
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		all = append(all, id+"="+rows[id].project+"/"+rows[id].body)
	}
	return all
}
