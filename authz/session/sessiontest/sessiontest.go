// Package sessiontest holds the promises of a session.Store as tests, so that
// every store is held to the same ones. It is for tests only.
package sessiontest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
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

	t.Run("what was put is got", func(t *testing.T) {
		s, id := newStore(), newID()
		want := []byte("any bytes: \x00\r\n\xff")
		put(t, s, id, want, ttl)
		assertHolds(t, s, id, want)
		assertHolds(t, s, id, want) // reading it takes nothing away
		assertAbsent(t, s, newID())
	})

	t.Run("the empty value is a value", func(t *testing.T) {
		s, id := newStore(), newID()
		put(t, s, id, []byte{}, ttl)
		assertHolds(t, s, id, []byte{})
	})

	t.Run("the store keeps its own copy", func(t *testing.T) {
		s, id := newStore(), newID()
		data := []byte("before")
		put(t, s, id, data, ttl)
		copy(data, "after!")
		got, err := s.Get(t.Context(), id)
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		copy(got, "after!")
		assertHolds(t, s, id, []byte("before"))
	})

	t.Run("a second put replaces the first", func(t *testing.T) {
		s, id := newStore(), newID()
		put(t, s, id, []byte("first"), ttl)
		put(t, s, id, []byte("second"), ttl)
		assertHolds(t, s, id, []byte("second"))
	})

	t.Run("a second put replaces the TTL", func(t *testing.T) {
		s, longer, shorter := newStore(), newID(), newID()
		put(t, s, longer, []byte("x"), brief)
		put(t, s, longer, []byte("x"), ttl)
		put(t, s, shorter, []byte("x"), ttl)
		put(t, s, shorter, []byte("x"), brief)
		advance(brief + 100*time.Millisecond)
		assertHolds(t, s, longer, []byte("x"))
		assertAbsent(t, s, shorter)
	})

	t.Run("it is gone when its time is over", func(t *testing.T) {
		s, id := newStore(), newID()
		put(t, s, id, []byte("x"), brief)
		assertHolds(t, s, id, []byte("x"))
		advance(brief + 100*time.Millisecond)
		assertAbsent(t, s, id)
	})

	t.Run("nothing is kept without a TTL", func(t *testing.T) {
		for _, ttl := range []time.Duration{0, -time.Second, time.Microsecond} {
			s, id := newStore(), newID()
			if err := s.Put(t.Context(), id, []byte("x"), ttl); err == nil {
				t.Errorf("Put with a TTL of %v is no error", ttl)
			}
			assertAbsent(t, s, id)
		}
	})

	t.Run("what was deleted is gone", func(t *testing.T) {
		s, id, other := newStore(), newID(), newID()
		put(t, s, id, []byte("x"), ttl)
		put(t, s, other, []byte("y"), ttl)
		for range 2 { // the second time it is gone already, which is fine
			if err := s.Delete(t.Context(), id); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
		assertAbsent(t, s, id)
		assertHolds(t, s, other, []byte("y"))
	})

	t.Run("a cancelled call is not an answer", func(t *testing.T) {
		s, id := newStore(), newID()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Get(ctx, id); err == nil || errors.Is(err, session.ErrNotFound) {
			t.Errorf("Get: error = %v, want one that is not ErrNotFound", err)
		}
		if err := s.Put(ctx, id, []byte("x"), ttl); err == nil {
			t.Error("Put: no error")
		}
		if err := s.Delete(ctx, id); err == nil {
			t.Error("Delete: no error")
		}
	})

	t.Run("many at once", func(t *testing.T) {
		s := newStore()
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				id := newID()
				want := id[:]
				if err := s.Put(t.Context(), id, want, ttl); err != nil {
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
	})
}

func newID() (id [sha256.Size]byte) {
	_, _ = rand.Read(id[:])
	return id
}

func put(t *testing.T, s session.Store, id [sha256.Size]byte, data []byte, ttl time.Duration) {
	t.Helper()
	if err := s.Put(t.Context(), id, data, ttl); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func assertHolds(t *testing.T, s session.Store, id [sha256.Size]byte, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("Get = %q, want %q", got, want)
	}
}

func assertAbsent(t *testing.T, s session.Store, id [sha256.Size]byte) {
	t.Helper()
	if got, err := s.Get(t.Context(), id); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %q, %v, want ErrNotFound", got, err)
	}
}
