package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/session"
)

func TestAReferenceStandsForItsSessionUntilThatEnds(t *testing.T) {
	c := newClock()
	m := session.NewManager(&memory{data: map[session.Key][]byte{}}, time.Hour, session.WithClock(c.Now))
	token, made, err := m.Create(t.Context(), alice(c.in(time.Hour)), "")
	if err != nil {
		t.Fatal(err)
	}
	r := session.ReferenceTo(token)
	got, err := m.GetReferred(t.Context(), r)
	if err != nil || got.Subject.String() != "user:alice" || !got.Expires.Equal(made.Expires) {
		t.Errorf("got %+v, %v", got, err)
	}
	ended := 0
	stop := m.WatchReferred(r, func() { ended++ })
	defer stop()
	if err := m.Delete(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := m.GetReferred(t.Context(), r); authz.KindOf(err) != authz.Unauthenticated || ended != 1 {
		t.Errorf("after the end: %v, and %d calls of the watch", err, ended)
	}
}

func TestAReferenceIsNoToken(t *testing.T) {
	c := newClock()
	m := session.NewManager(&memory{data: map[session.Key][]byte{}}, time.Hour, session.WithClock(c.Now))
	token, _, err := m.Create(t.Context(), alice(c.in(time.Hour)), "")
	if err != nil {
		t.Fatal(err)
	}
	r := string(session.ReferenceTo(token))
	for _, text := range []string{r, "sgs_" + r, "sgs_" + r[:len(token)-len("sgs_")]} {
		if _, err := m.Get(t.Context(), text); authz.KindOf(err) != authz.Unauthenticated {
			t.Errorf("%s is taken for a token: %v", text, err)
		}
	}
}

func TestWhatIsNoReferenceIsRefused(t *testing.T) {
	c := newClock()
	m := session.NewManager(&memory{data: map[session.Key][]byte{}}, time.Hour, session.WithClock(c.Now))
	token, _, err := m.Create(t.Context(), alice(c.in(time.Hour)), "")
	if err != nil {
		t.Fatal(err)
	}
	good := session.ReferenceTo(token)
	for _, r := range []session.Reference{
		"", "x", session.Reference(token), good[1:], good + "A", good + "\n", "\n" + good[1:], session.Reference(strings.Repeat("A", len(good))),
	} {
		if _, err := m.GetReferred(t.Context(), r); authz.KindOf(err) != authz.Unauthenticated {
			t.Errorf("%q: %v", r, err)
		}
	}
	called := false
	m.WatchReferred("x", func() { called = true })()
	if !called || session.ReferenceTo("x") != "" {
		t.Error("a malformed reference has no end")
	}
}
