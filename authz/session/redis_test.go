package session_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/session/sessiontest"
)

func TestRedisIsAStore(t *testing.T) {
	for name, start := range backends {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			client := dial(t, b.url)
			sessiontest.Run(t, func() session.Store { return session.NewRedis(client, "") }, b.advance)
		})
	}
}

// A reader of all of Redis must not be able to use a session, and nothing
// may stay there for good.
func TestRedisHoldsNothingButHashedKeysWithATTL(t *testing.T) {
	const ttl = 10 * time.Minute
	for name, start := range backends {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			client := dial(t, b.url)
			m := session.NewManager(session.NewRedis(client, ""), ttl)
			var tokens []string
			for range 3 {
				token, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := m.Get(t.Context(), token); err != nil {
					t.Fatal(err)
				}
				tokens = append(tokens, token)
			}
			_, _ = m.Get(t.Context(), "sgs_"+strings.Repeat("A", 43))

			everything, keys := readAll(t, client, ttl)
			if keys != len(tokens)+1 {
				t.Errorf("%d keys, want %d and an index", keys, len(tokens))
			}
			for _, token := range tokens {
				random, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "sgs_"))
				if err != nil || len(random) != 32 {
					t.Fatalf("the token's random part: %d bytes, %v", len(random), err)
				}
				for form, trace := range map[string][]byte{
					"the token":                    []byte(strings.TrimPrefix(token, "sgs_")),
					"the token's bytes":            random,
					"the token's bytes in hex":     []byte(hex.EncodeToString(random)),
					"the token's bytes in base64":  []byte(base64.StdEncoding.EncodeToString(random)),
					"the first half of the token":  []byte(token[4:26]),
					"the second half of the token": []byte(token[26:]),
					"the prefix of session tokens": []byte("sgs_"),
				} {
					if bytes.Contains(everything, trace) {
						t.Errorf("Redis contains %s", form)
					}
				}
				if err := m.Delete(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			if _, keys := readAll(t, client, ttl); keys != 0 {
				t.Errorf("%d keys after all sessions were ended", keys)
			}
		})
	}
}

var (
	sessionKey = regexp.MustCompile(`^shapegate:session:\{[0-9a-f]{16}\}:[0-9a-f]{64}$`)
	indexKey   = regexp.MustCompile(`^shapegate:session:\{[0-9a-f]{16}\}$`)
)

// readAll returns all keys and values, and checks that each is a session, or a
// subject's index of sessions, and ends.
func readAll(t *testing.T, client redis.UniversalClient, ttl time.Duration) (everything []byte, keys int) {
	t.Helper()
	scan := client.Scan(t.Context(), 0, "*", 0).Iterator()
	for scan.Next(t.Context()) {
		key := scan.Val()
		keys++
		left, err := client.PTTL(t.Context(), key).Result()
		if err != nil || left <= 0 || left > ttl {
			t.Errorf("TTL of %q = %v, %v, want at most %v", key, left, err, ttl)
		}
		if indexKey.MatchString(key) {
			members := strings.Join(client.ZRange(t.Context(), key, 0, -1).Val(), " ")
			everything = append(append(everything, key...), members...)
			continue
		}
		if !sessionKey.MatchString(key) {
			t.Errorf("key %q is no session's", key)
		}
		value, err := client.Get(t.Context(), key).Bytes()
		if err != nil {
			t.Errorf("value of %q: %v", key, err)
		}
		everything = append(append(everything, key...), value...)
	}
	if err := scan.Err(); err != nil {
		t.Fatalf("scan: %v", err)
	}
	return everything, keys
}

func TestRedisUsesThePrefixItWasGiven(t *testing.T) {
	b := startMiniredis(t)
	client := dial(t, b.url)
	here, there := session.NewRedis(client, "here:"), session.NewRedis(client, "there:")
	if err := here.Put(t.Context(), session.Key{Subject: [8]byte{1}}, []byte("x"), time.Minute, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := there.Get(t.Context(), session.Key{Subject: [8]byte{1}}); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("error = %v, want ErrNotFound", err)
	}
	keys := client.Keys(t.Context(), "*").Val()
	for _, key := range keys {
		if !strings.HasPrefix(key, "here:{01") {
			t.Errorf("key %q", key)
		}
	}
	if len(keys) == 0 {
		t.Error("no keys")
	}
}

func TestRedisDownIsUnavailableSoonAndRecovers(t *testing.T) {
	for name, start := range backends {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			m := session.NewManager(session.NewRedis(dial(t, b.url), ""), time.Minute)
			token, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
			if err != nil {
				t.Fatal(err)
			}

			b.stop()
			// More often than the pool has room for: it must not wait for a place.
			for range 20 {
				assertUnavailableSoon(t, m, token)
			}

			b.start()
			eventually(t, func() error {
				token, _, err = m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
				return err
			})
			if _, err := m.Get(t.Context(), token); err != nil {
				t.Errorf("after it came back: %v", err)
			}
		})
	}
}

func TestRedisAwayAtStart(t *testing.T) {
	b := startMiniredis(t)
	b.stop()
	started := time.Now()
	m := session.NewManager(session.NewRedis(dial(t, b.url), ""), time.Minute)
	if waited := time.Since(started); waited > 100*time.Millisecond {
		t.Errorf("Dial took %v", waited)
	}
	assertUnavailableSoon(t, m, "sgs_"+strings.Repeat("A", 43))
	b.start()
	eventually(t, func() error {
		_, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
		return err
	})
}

// A Redis that takes connections and never answers is the worst case: no error
// comes by itself.
func TestSilentRedisIsUnavailableSoon(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	m := session.NewManager(session.NewRedis(dial(t, "redis://"+listener.Addr().String()), ""), time.Minute)
	assertUnavailableSoon(t, m, "sgs_"+strings.Repeat("A", 43))
}

func TestRedisThatRefusesIsUnavailable(t *testing.T) {
	b := startMiniredis(t)
	client := dial(t, b.url)
	const token = "sgs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	m := session.NewManager(session.NewRedis(client, ""), time.Minute)
	// A list where a session's value should be: Redis answers, with an error.
	if err := client.LPush(t.Context(), redisKey(token), "x").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Get(t.Context(), token); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("error = %v, want an Unavailable one", err)
	}
}

// assertUnavailableSoon checks every operation of a manager whose store is away.
func assertUnavailableSoon(t *testing.T, m *session.Manager, token string) {
	t.Helper()
	operations := map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error {
			token, s, err := m.Create(ctx, alice(time.Now().Add(time.Hour)), "")
			if token != "" || s.Subject.ID != "" {
				t.Error("Create returned a session with an error")
			}
			return err
		},
		"Get":    func(ctx context.Context) error { _, err := m.Get(ctx, token); return err },
		"Delete": func(ctx context.Context) error { return m.Delete(ctx, token) },
	}
	for name, operation := range operations {
		started := time.Now()
		err := operation(t.Context())
		if authz.KindOf(err) != authz.Unavailable {
			t.Errorf("%s: error = %v, want an Unavailable one", name, err)
		}
		if took := time.Since(started); took > 900*time.Millisecond {
			t.Errorf("%s took %v", name, took)
		}
		if err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("%s: error %q contains the token", name, err)
		}
	}
}

func TestDialRefusesWhatItCannotUse(t *testing.T) {
	for _, url := range []string{
		"",
		"localhost:6379",
		"http://user:s3cret@localhost",
		"redis://user:s3c/ret@localhost",
		"redis://user:s3cret@localhost:port",
		"redis://user:s3cret@localhost/zero",
		"redis://user:s3cret@localhost?s3cret=1",
		"redis://user:%zzs3cret@localhost",
	} {
		_, err := session.Dial(session.RedisConfig{URL: url})
		if authz.KindOf(err) != authz.Invalid || err == nil {
			t.Errorf("Dial(%q): error = %v, want an Invalid one", url, err)
		} else if strings.Contains(err.Error(), "s3c") {
			t.Errorf("Dial(%q): error %q contains the password", url, err)
		}
	}
}

func TestDialReadsTheURL(t *testing.T) {
	client := dial(t, "rediss://user:pass@redis.example:7000/3?pool_size=7&read_timeout=2s")
	o := client.(*redis.Client).Options()
	if o.Addr != "redis.example:7000" || o.Username != "user" || o.Password != "pass" || o.DB != 3 || o.TLSConfig == nil {
		t.Errorf("options = %s, user %s, database %d, TLS %v", o.Addr, o.Username, o.DB, o.TLSConfig != nil)
	}
	if o.PoolSize != 7 || o.ReadTimeout != 2*time.Second {
		t.Errorf("pool size %d, read timeout %v: the URL's do not win", o.PoolSize, o.ReadTimeout)
	}
	if o.WriteTimeout != 500*time.Millisecond || !o.ContextTimeoutEnabled {
		t.Errorf("write timeout %v, contexts heeded: %v", o.WriteTimeout, o.ContextTimeoutEnabled)
	}
}
