package session_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{}) // it would log every Redis that is away on purpose
	goleak.VerifyTestMain(m)
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func alice(expires time.Time) identity.Identity {
	return identity.Identity{
		Subject: authz.Subject{
			ObjectRef: authz.ObjectRef{Type: "user", ID: "alice"},
			Claims:    map[string]any{"sub": "alice", "age": 41.5, "groups": []any{"a", "b"}, "verified": true},
		},
		Expires: expires,
	}
}

func redisKey(token string) string {
	raw, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "sgs_"))
	hash := sha256.Sum256([]byte(token))
	return session.DefaultPrefix + "{" + hex.EncodeToString(raw[:8]) + "}:" + hex.EncodeToString(hash[:])
}

// clock is a time that tests set.
type clock struct{ now time.Time }

func newClock() *clock                        { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)} }
func (c *clock) Now() time.Time               { return c.now }
func (c *clock) pass(d time.Duration)         { c.now = c.now.Add(d) }
func (c *clock) in(d time.Duration) time.Time { return c.now.Add(d) }

// memory is a store that never forgets, whatever the TTL.
type memory struct {
	data map[session.Key][]byte
	ttl  time.Duration // of the last Put
}

func newMemory() *memory { return &memory{data: make(map[session.Key][]byte)} }

func (m *memory) Put(_ context.Context, key session.Key, data []byte, ttl time.Duration, _ int) error {
	m.data[key], m.ttl = bytes.Clone(data), ttl
	return nil
}

func (m *memory) Get(_ context.Context, key session.Key) ([]byte, error) {
	if data, ok := m.data[key]; ok {
		return data, nil
	}
	return nil, session.ErrNotFound
}

func (m *memory) Has(_ context.Context, keys []session.Key) ([]bool, error) {
	held := make([]bool, len(keys))
	for i, key := range keys {
		_, held[i] = m.data[key]
	}
	return held, nil
}

func (m *memory) Delete(_ context.Context, key session.Key) error {
	delete(m.data, key)
	return nil
}

// replaceAll puts other data in place of every value.
func (m *memory) replaceAll(data string) {
	for id := range m.data {
		m.data[id] = []byte(data)
	}
}

func assertKind(t *testing.T, err error, want authz.Kind, why string) {
	t.Helper()
	if err == nil || authz.KindOf(err) != want {
		t.Fatalf("error = %v, want %v", err, want)
	}
	if !strings.Contains(err.Error(), why) {
		t.Errorf("error %q does not say %q", err, why)
	}
}

func TestASessionIsItsSubjectUntilItEnds(t *testing.T) {
	clock, store := newClock(), newMemory()
	m := session.NewManager(store, 15*time.Minute, session.WithClock(clock.Now))
	id := alice(clock.in(time.Hour))

	token, created, err := m.Create(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	if !session.LooksLikeToken(token) || len(token) != 47 {
		t.Errorf("token of %d characters, looks like one: %v", len(token), session.LooksLikeToken(token))
	}
	begin := clock.now.Truncate(time.Millisecond)
	if !created.Created.Equal(begin) || !created.Expires.Equal(begin.Add(15*time.Minute)) {
		t.Errorf("from %v to %v", created.Created, created.Expires)
	}
	if store.ttl != 15*time.Minute {
		t.Errorf("TTL in the store = %v", store.ttl)
	}

	got, err := m.Get(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Subject, id.Subject) {
		t.Errorf("subject = %#v, want %#v", got.Subject, id.Subject)
	}
	if !got.Created.Equal(created.Created) || !got.Expires.Equal(created.Expires) {
		t.Errorf("read from %v to %v, created from %v to %v", got.Created, got.Expires, created.Created, created.Expires)
	}

	// The store forgets nothing here, so it is the stored time that counts.
	clock.pass(15*time.Minute - time.Millisecond)
	if _, err := m.Get(t.Context(), token); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	clock.pass(time.Millisecond)
	_, err = m.Get(t.Context(), token)
	assertKind(t, err, authz.Unauthenticated, "expired")
}

func TestASessionNeverOutlivesItsIdentity(t *testing.T) {
	tests := []struct {
		name string
		left time.Duration // of the identity
		want time.Duration // 0: no session
	}{
		{"identity lasts longer", time.Hour, 15 * time.Minute},
		{"identity ends sooner", time.Minute, time.Minute},
		{"identity ends in a moment", 2 * time.Millisecond, 2 * time.Millisecond},
		{"identity ends now", 0, 0},
		{"identity has ended", -time.Second, 0},
		{"identity without an end", -math.MaxInt64, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock, store := newClock(), newMemory()
			clock.now = clock.now.Truncate(time.Millisecond)
			m := session.NewManager(store, 15*time.Minute, session.WithClock(clock.Now))
			id := alice(clock.in(tt.left))
			if tt.left == -math.MaxInt64 {
				id.Expires = time.Time{}
			}
			token, s, err := m.Create(t.Context(), id, "")
			if tt.want == 0 {
				assertKind(t, err, authz.Unauthenticated, "expired")
				if token != "" || len(store.data) != 0 {
					t.Error("a session was made nevertheless")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Expires.Sub(clock.now); got != tt.want || store.ttl != tt.want {
				t.Errorf("lasts %v, in the store %v, want %v", got, store.ttl, tt.want)
			}
		})
	}
	t.Run("not by a fraction", func(t *testing.T) {
		clock := newClock() // which has nanoseconds
		m := session.NewManager(newMemory(), time.Hour, session.WithClock(clock.Now))
		id := alice(clock.in(10*time.Millisecond + time.Microsecond))
		_, s, err := m.Create(t.Context(), id, "")
		if err != nil {
			t.Fatal(err)
		}
		if s.Expires.After(id.Expires) {
			t.Errorf("session until %v, identity until %v", s.Expires, id.Expires)
		}
	})
	t.Run("default", func(t *testing.T) {
		store := newMemory()
		if _, _, err := session.NewManager(store, 0).Create(t.Context(), alice(time.Now().Add(time.Hour)), ""); err != nil {
			t.Fatal(err)
		}
		if store.ttl != session.DefaultTTL {
			t.Errorf("TTL = %v", store.ttl)
		}
	})
}

func TestDeleteEndsASession(t *testing.T) {
	m := session.NewManager(newMemory(), time.Minute)
	token, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{token, token, "", "garbage", "sgs_" + strings.Repeat("A", 43)} {
		if err := m.Delete(t.Context(), token); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	_, err = m.Get(t.Context(), token)
	assertKind(t, err, authz.Unauthenticated, "no such session")
	if _, err := m.Get(t.Context(), other); err != nil {
		t.Errorf("the person's other session: %v", err)
	}
}

func TestGetRefusesMalformedTokens(t *testing.T) {
	m := session.NewManager(newMemory(), time.Minute)
	token, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"":                                     "malformed",
		"sgs_":                                 "malformed",
		token[:len(token)-1]:                   "malformed",
		token + "A":                            "malformed",
		"SGS_" + token[4:]:                     "malformed",
		token[4:]:                              "malformed",
		"sgs_" + strings.Repeat("*", 43):       "malformed",
		"sgs_" + strings.Repeat("\n", 43):      "malformed",
		token[:10] + "\n" + token[11:]:         "malformed",
		"sgs_" + strings.Repeat("A", 42) + "B": "malformed", // bits that no token has
		"sgs_" + strings.Repeat("A", 43):       "no such session",
		strings.Repeat("sgs_", 1<<20):          "malformed",
	}
	for bad, why := range tests {
		_, err := m.Get(t.Context(), bad)
		assertKind(t, err, authz.Unauthenticated, why)
		if len(bad) > 4 && strings.Contains(err.Error(), bad) {
			t.Errorf("error %q contains the token", err)
		}
	}
}

func TestTokensNeverRepeat(t *testing.T) {
	m := session.NewManager(newMemory(), time.Minute)
	seen := make(map[string]bool)
	for range 1000 {
		token, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
		if err != nil {
			t.Fatal(err)
		}
		if seen[token] {
			t.Fatal("a token came twice")
		}
		seen[token] = true
	}
}

func TestCreateRefusesWhatCannotBeStored(t *testing.T) {
	tests := []struct {
		name   string
		change func(*authz.Subject)
		why    string
	}{
		{"large claims", func(s *authz.Subject) { s.Claims["x"] = strings.Repeat("x", session.MaxClaims) }, "more than 16384"},
		{"claims that are no JSON", func(s *authz.Subject) { s.Claims["x"] = math.Inf(1) }, "JSON"},
		{"everybody", func(s *authz.Subject) { s.ID = "*" }, "object id"},
		{"nobody", func(s *authz.Subject) { s.ID = "" }, "object id"},
		{"no type", func(s *authz.Subject) { s.Type = "" }, "definition"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := newMemory()
			id := alice(time.Now().Add(time.Hour))
			tt.change(&id.Subject)
			_, _, err := session.NewManager(store, time.Minute).Create(t.Context(), id, "")
			assertKind(t, err, authz.Invalid, tt.why)
			if len(store.data) != 0 {
				t.Error("something was stored")
			}
		})
	}
	t.Run("no claims are fine", func(t *testing.T) {
		m := session.NewManager(newMemory(), time.Minute)
		id := alice(time.Now().Add(time.Hour))
		id.Subject.Claims = nil
		token, _, err := m.Create(t.Context(), id, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Get(t.Context(), token)
		if err != nil || !reflect.DeepEqual(got.Subject, id.Subject) {
			t.Errorf("subject = %v, %v", got.Subject, err)
		}
	})
}

func TestGetDoesNotTrustTheStore(t *testing.T) {
	const far = `"created":1,"expires":99999999999999`
	for name, data := range map[string]string{
		"empty":              ``,
		"no JSON":            `{"v":1,`,
		"older than numbers": `{"type":"user","id":"alice",` + far + `}`,
		"a later version":    `{"v":2,"type":"user","id":"alice",` + far + `}`,
		"everybody":          `{"v":1,"type":"user","id":"*",` + far + `}`,
		"nobody":             `{"v":1,"type":"user",` + far + `}`,
		"no type":            `{"v":1,"id":"alice",` + far + `}`,
		"no end":             `{"v":1,"type":"user","id":"alice","created":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			m := session.NewManager(store, time.Minute)
			token, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
			if err != nil {
				t.Fatal(err)
			}
			store.replaceAll(data)
			s, err := m.Get(t.Context(), token)
			assertKind(t, err, authz.Unauthenticated, "session")
			if s.Subject.ID != "" {
				t.Errorf("subject %v with an error", s.Subject)
			}
		})
	}
}

// The form of stored sessions is read by replicas of other versions.
func TestStoredForm(t *testing.T) {
	clock, store := newClock(), newMemory()
	m := session.NewManager(store, time.Minute, session.WithClock(clock.Now))
	if _, _, err := m.Create(t.Context(), alice(clock.in(time.Hour)), ""); err != nil {
		t.Fatal(err)
	}
	const want = `{"v":1,"type":"user","id":"alice",` +
		`"claims":{"age":41.5,"groups":["a","b"],"sub":"alice","verified":true},` +
		`"created":1772366400123,"expires":1772366460123}`
	for _, data := range store.data {
		if string(data) != want {
			t.Errorf("stored\n%s\nwant\n%s", data, want)
		}
	}
}

// broken is a store that fails in its own way.
type broken struct{ err error }

func (b broken) Put(context.Context, session.Key, []byte, time.Duration, int) error { return b.err }
func (b broken) Get(context.Context, session.Key) ([]byte, error)                   { return nil, b.err }
func (b broken) Has(context.Context, []session.Key) ([]bool, error)                 { return nil, b.err }
func (b broken) Delete(context.Context, session.Key) error                          { return b.err }

func TestAnyFailureOfTheStoreIsUnavailable(t *testing.T) {
	const token = "sgs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, cause := range []error{
		errors.New("disk on fire"),
		context.DeadlineExceeded,
		authz.E(authz.Invalid, "store", nil),
		authz.E(authz.Unavailable, "store", nil),
	} {
		m := session.NewManager(broken{cause}, time.Minute)
		_, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
		assertKind(t, err, authz.Unavailable, "create session")
		_, err = m.Get(t.Context(), token)
		assertKind(t, err, authz.Unavailable, "read session")
		err = m.Delete(t.Context(), token)
		assertKind(t, err, authz.Unavailable, "delete session")
		if !errors.Is(err, cause) {
			t.Errorf("error %v does not wrap its cause", err)
		}
	}
}

func TestLooksLikeTokenDistinguishesTokensFromJWTs(t *testing.T) {
	for s, want := range map[string]bool{
		"sgs_AAAA":                   true,
		"eyJhbGciOiJIUzI1NiJ9.e30.x": false,
		"":                           false,
		"sgs":                        false,
		"Bearer sgs_AAAA":            false,
	} {
		if got := session.LooksLikeToken(s); got != want {
			t.Errorf("LooksLikeToken(%q) = %v", s, got)
		}
	}
}
