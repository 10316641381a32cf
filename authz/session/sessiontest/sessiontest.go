// Package sessiontest holds the promises of a session.Store as tests, so that
// every store is held to the same ones. It is for tests only.
package sessiontest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz/session"
)

// ttl is that of values which must outlive their test. brief is that of those
// whose end is waited for, which on a real store takes real time.
const (
	ttl   = time.Minute
	brief = 1500 * time.Millisecond
)

// Run checks that the stores from newStore keep their promises. It may be given
// the same store each time, or stores that share their data. advance lets the
// given time pass for all of them.
func Run(t *testing.T, newStore func() session.Store, advance func(time.Duration)) {
	t.Helper()
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) { promise.test(t, store{newStore(), advance}) })
	}
}

// store is the store of one promise. advance lets time pass for it.
type store struct {
	session.Store
	advance func(time.Duration)
}

// promises are what a store must keep.
var promises = []struct {
	name string
	test func(t *testing.T, s store)
}{
	{"what was put is got", putIsGot},
	{"the empty value is a value", emptyIsAValue},
	{"the store keeps its own copy", keepsItsOwnCopy},
	{"a second put replaces the first", secondPutReplaces},
	{"a second put replaces the TTL", secondPutReplacesTTL},
	{"it is gone when its time is over", goneWhenTimeIsOver},
	{"nothing is kept without a TTL", nothingWithoutTTL},
	{"what was deleted is gone", deletedIsGone},
	{"it says which are there", saysWhichAreThere},
	{"the oldest of a subject are removed", oldestAreRemoved},
	{"the bound holds for many at once", boundHoldsAtOnce},
	{"a cancelled call is not an answer", cancelledIsNoAnswer},
	{"many at once", manyAtOnce},
}

func putIsGot(t *testing.T, s store) {
	id := newID()
	want := []byte("any bytes: \x00\r\n\xff")
	put(t, s, id, want, ttl)
	assertHolds(t, s, id, want)
	assertHolds(t, s, id, want) // reading it takes nothing away
	assertAbsent(t, s, newID())
}

func emptyIsAValue(t *testing.T, s store) {
	id := newID()
	put(t, s, id, []byte{}, ttl)
	assertHolds(t, s, id, []byte{})
}

func keepsItsOwnCopy(t *testing.T, s store) {
	id := newID()
	data := []byte("before")
	put(t, s, id, data, ttl)
	copy(data, "after!")
	got, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	copy(got, "after!")
	assertHolds(t, s, id, []byte("before"))
}

func secondPutReplaces(t *testing.T, s store) {
	id := newID()
	put(t, s, id, []byte("first"), ttl)
	put(t, s, id, []byte("second"), ttl)
	assertHolds(t, s, id, []byte("second"))
}

func secondPutReplacesTTL(t *testing.T, s store) {
	longer, shorter := newID(), newID()
	put(t, s, longer, []byte("x"), brief)
	put(t, s, longer, []byte("x"), ttl)
	put(t, s, shorter, []byte("x"), ttl)
	put(t, s, shorter, []byte("x"), brief)
	s.advance(brief + 100*time.Millisecond)
	assertHolds(t, s, longer, []byte("x"))
	assertAbsent(t, s, shorter)
}

func goneWhenTimeIsOver(t *testing.T, s store) {
	id := newID()
	put(t, s, id, []byte("x"), brief)
	assertHolds(t, s, id, []byte("x"))
	s.advance(brief + 100*time.Millisecond)
	assertAbsent(t, s, id)
}

func nothingWithoutTTL(t *testing.T, s store) {
	for _, ttl := range []time.Duration{0, -time.Second, time.Microsecond} {
		id := newID()
		if err := s.Put(t.Context(), id, []byte("x"), ttl, most); err == nil {
			t.Errorf("Put with a TTL of %v is no error", ttl)
		}
		assertAbsent(t, s, id)
	}
}

func deletedIsGone(t *testing.T, s store) {
	id, other := newID(), newID()
	put(t, s, id, []byte("x"), ttl)
	put(t, s, other, []byte("y"), ttl)
	for range 2 { // the second time it is gone already, which is fine
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	assertAbsent(t, s, id)
	assertHolds(t, s, other, []byte("y"))
}

func saysWhichAreThere(t *testing.T, s store) {
	id, absent := newID(), newID()
	put(t, s, id, []byte("x"), ttl)
	held, err := s.Has(t.Context(), []session.Key{absent, id, another(id)})
	if err != nil || !slices.Equal(held, []bool{false, true, false}) {
		t.Errorf("Has = %v, %v", held, err)
	}
	if held, err := s.Has(t.Context(), nil); err != nil || len(held) != 0 {
		t.Errorf("Has of nothing = %v, %v", held, err)
	}
}

func oldestAreRemoved(t *testing.T, s store) {
	other := newID()
	put(t, s, other, []byte("y"), ttl)
	ids := []session.Key{newID()}
	for len(ids) < 6 {
		ids = append(ids, another(ids[0]))
	}
	for _, id := range ids {
		putMost(t, s, id, 3)
	}
	for i, id := range ids {
		if i < 3 {
			assertAbsent(t, s, id)
		} else {
			assertHolds(t, s, id, []byte("x"))
		}
	}
	assertHolds(t, s, other, []byte("y"))

	// A session that was put again, deleted or expired takes no other one's place.
	putMost(t, s, ids[5], 3)
	assertHolds(t, s, ids[3], []byte("x"))
	if err := s.Delete(t.Context(), ids[4]); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), ids[0], []byte("x"), brief, 3); err != nil {
		t.Fatal(err)
	}
	assertHolds(t, s, ids[3], []byte("x"))
	s.advance(brief + 100*time.Millisecond)
	putMost(t, s, ids[1], 3)
	assertHolds(t, s, ids[3], []byte("x"))
	putMost(t, s, ids[2], 3)
	assertAbsent(t, s, ids[3])
}

func boundHoldsAtOnce(t *testing.T, s store) {
	ids := []session.Key{newID()}
	for len(ids) < 40 {
		ids = append(ids, another(ids[0]))
	}
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			if err := s.Put(t.Context(), id, []byte("x"), ttl, 5); err != nil {
				t.Errorf("Put: %v", err)
			}
		})
	}
	all.Wait()
	held, err := s.Has(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, is := range held {
		if is {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d sessions are held, want 5", n)
	}
}

func cancelledIsNoAnswer(t *testing.T, s store) {
	id := newID()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, id); err == nil || errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get: error = %v, want one that is not ErrNotFound", err)
	}
	if err := s.Put(ctx, id, []byte("x"), ttl, most); err == nil {
		t.Error("Put: no error")
	}
	if _, err := s.Has(ctx, []session.Key{id}); err == nil {
		t.Error("Has: no error")
	}
	if err := s.Delete(ctx, id); err == nil {
		t.Error("Delete: no error")
	}
}

func manyAtOnce(t *testing.T, s store) {
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			id := newID()
			want := id.Token[:]
			if err := s.Put(t.Context(), id, want, ttl, most); err != nil {
				t.Errorf("Put: %v", err)
			}
			if got, err := s.Get(t.Context(), id); err != nil || !bytes.Equal(got, want) {
				t.Errorf("Get = %q, %v", got, err)
			}
			if err := s.Delete(t.Context(), id); err != nil {
				t.Errorf("Delete: %v", err)
			}
		})
	}
	all.Wait()
}

// newID returns the key of a session of a new subject.
func newID() (key session.Key) {
	_, _ = rand.Read(key.Subject[:])
	return another(key)
}

// another returns the key of another session of the same subject.
func another(key session.Key) session.Key {
	_, _ = rand.Read(key.Token[:])
	return key
}

// most is a bound on sessions that no test reaches by accident.
const most = 100

func put(t *testing.T, s session.Store, id session.Key, data []byte, ttl time.Duration) {
	t.Helper()
	if err := s.Put(t.Context(), id, data, ttl, most); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func putMost(t *testing.T, s session.Store, id session.Key, most int) {
	t.Helper()
	if err := s.Put(t.Context(), id, []byte("x"), ttl, most); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func assertHolds(t *testing.T, s session.Store, id session.Key, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("Get = %q, want %q", got, want)
	}
}

func assertAbsent(t *testing.T, s session.Store, id session.Key) {
	t.Helper()
	if got, err := s.Get(t.Context(), id); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %q, %v, want ErrNotFound", got, err)
	}
}
