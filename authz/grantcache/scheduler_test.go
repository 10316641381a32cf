package grantcache

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// newTestEntry is an entry with a reader: a lookup, or the check of an object.
func newTestEntry(name, resource string) *entry {
	return &entry{
		entryKey: entryKey{subject: person(name).ObjectRef, resource: resource},
		shard:    &shard{}, queries: map[*query]struct{}{{readers: 1}: {}},
		heard: heard{whole: 1, objects: make(map[string]touch)}, calls: calls{done: make(chan struct{})},
	}
}

func describeWork(w work) string {
	switch {
	case w.lookup != nil:
		return "lookup " + w.lookup.subject.ID
	case w.job != nil:
		return "job " + w.job.id
	}
	text := "checks"
	for _, e := range w.checks {
		text += " " + e.subject.ID
	}
	return text
}

func TestQueueOrder(t *testing.T) {
	var q queue
	p := &permission{}
	urgent, grown := newTestEntry("urgent", ""), newTestEntry("objects", "")
	urgent.calls.urgent = true
	grown.value.valid, grown.heard.covered = true, 1 // it asks about single objects
	q.add(newTestEntry("lookup", ""))
	q.add(urgent)
	q.addJob(&job{permission: p, id: "d1"})
	q.addJob(&job{permission: p, id: "d2"})
	q.addJob(&job{permission: p, id: "d1"}) // in the place of the older one
	q.addJob(&job{permission: p, id: "d2", again: true})
	q.add(newTestEntry("check", "main"))
	q.add(grown)
	var got []string
	for !q.isEmpty() {
		got = append(got, describeWork(q.next()))
	}
	want := []string{"checks check objects", "job d2", "job d1", "job d2", "lookup urgent", "lookup lookup"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAQueueAsksForSoManyChecksAtOnce(t *testing.T) {
	var q queue
	for i := range mostChecked + 1 {
		q.add(newTestEntry(fmt.Sprint("p", i), "main"))
	}
	if first, second := len(q.next().checks), len(q.next().checks); first != mostChecked || second != 1 {
		t.Errorf("%d and %d", first, second)
	}
}

func TestOutage(t *testing.T) {
	unanswerable := authz.E(authz.Unanswerable, "ask", errors.New("a cycle"))
	at := func(d time.Duration) time.Time { return time.Unix(1000, 0).Add(d) }
	for _, tt := range []struct {
		name string
		note func(*outage)
		at   time.Duration
		want bool
	}{
		{"at first", func(*outage) {}, 0, true},
		{"after a failure", func(o *outage) { o.note(errDown, at(0), at(0)) }, awayFor - 1, false},
		{"a while after a failure", func(o *outage) { o.note(errDown, at(0), at(0)) }, awayFor, true},
		{"one call at a time", func(o *outage) { o.note(errDown, at(0), at(0)); o.mayAsk(at(awayFor)) }, awayFor, false},
		{"after an answer", func(o *outage) { o.note(errDown, at(0), at(0)); o.note(nil, at(0), at(1)) }, 1, true},
		{"what cannot be evaluated is answered", func(o *outage) { o.note(errDown, at(0), at(0)); o.note(unanswerable, at(0), at(1)) }, 1, true},
		{"another call was answered meanwhile", func(o *outage) { o.note(nil, at(1), at(2)); o.note(errDown, at(0), at(3)) }, 3, true},
		{"it was answered before", func(o *outage) { o.note(nil, at(0), at(1)); o.note(errDown, at(2), at(3)) }, 3, false},
		{"a failure of another kind", func(o *outage) { o.note(errors.New("?"), at(0), at(0)) }, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o outage
			tt.note(&o)
			if got := o.mayAsk(at(tt.at)); got != tt.want {
				t.Errorf("may ask: %v", got)
			}
		})
	}
}

// recorder is a caller that notes what it is to call, and takes a second for each.
type recorder struct{ called, failed []string }

func (r *recorder) call(w work) {
	r.called = append(r.called, describeWork(w))
	time.Sleep(time.Second) // of the bubble
}

func (r *recorder) fail(waiting *queue, _ error) {
	for !waiting.isEmpty() {
		r.failed = append(r.failed, describeWork(waiting.next()))
	}
}

func TestASchedulerHurriesAndFailsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := &scheduler{tasks: newTasks(), most: 1, caller: r}
		defer s.tasks.close()
		entries := []*entry{newTestEntry("a", ""), newTestEntry("b", ""), newTestEntry("c", "")}
		for _, e := range entries {
			s.enqueue(e)
			s.enqueue(e) // which is queued
		}
		s.dispatch()
		synctest.Wait()
		s.hurry(entries[2])
		later(time.Second)
		if got := strings.Join(r.called, ", "); got != "lookup a, lookup c" {
			t.Errorf("called %s", got)
		}
		later(time.Second - time.Millisecond)
		s.note(errDown, time.Now())
		later(time.Millisecond)
		if got := strings.Join(r.failed, ", "); got != "lookup b, lookup c" || !s.isAway() {
			t.Errorf("failed %s", got) // c has two places
		}
	})
}
