package identity_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
)

func oldKey() key { return key{"2025", jwt.SigningMethodRS256, rsaKey()} }
func newKey() key { return key{"2026", jwt.SigningMethodES256, p256Key()} }

func assertUnavailable(t *testing.T, err error) {
	t.Helper()
	if authz.KindOf(err) != authz.Unavailable {
		t.Fatalf("error = %v, want an Unavailable one", err)
	}
	if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "keys?") {
		t.Errorf("error %q contains the URL", err)
	}
}

func TestRotationOverHTTP(t *testing.T) {
	keys := newKeyServer(t, oldKey())
	server := httptest.NewServer(keys)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	v := newVerifier(t, identity.Config{JWKSURL: server.URL, Now: fixedNow})

	if _, err := v.Verify(t.Context(), oldKey().sign(t, good(nil))); err != nil {
		t.Fatalf("before: %v", err)
	}
	keys.publish(t, oldKey(), newKey())
	if _, err := v.Verify(t.Context(), newKey().sign(t, good(nil))); err != nil {
		t.Fatalf("the new key: %v", err)
	}
	if _, err := v.Verify(t.Context(), oldKey().sign(t, good(nil))); err != nil {
		t.Fatalf("the old key: %v", err)
	}
	if got := keys.fetches.Load(); got != 2 {
		t.Errorf("%d fetches, want 2", got)
	}
}

func TestKeyServerAwayAtStartAndLaterBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := &keyServer{}
		token := oldKey().sign(t, good(nil))
		v := newVerifier(t, remoteConfig(keys))

		_, err := v.Verify(t.Context(), token)
		assertUnavailable(t, err)

		keys.publish(t, oldKey())
		time.Sleep(time.Minute) // more than the longest wait between two attempts
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("after it came back: %v", err)
		}
	})
}

func TestStartDoesNotWaitForTheKeyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := oldKey().sign(t, good(nil))
		release := make(chan struct{})
		keys := newKeyServer(t, oldKey())
		silent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
				keys.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
		cfg := remoteConfig(keys)
		cfg.HTTPClient = &http.Client{Transport: inMemory{silent}}

		started := time.Now()
		v := newVerifier(t, cfg)
		if waited := time.Since(started); waited != 0 {
			t.Errorf("New waited %v", waited)
		}
		_, err := v.Verify(t.Context(), token)
		assertUnavailable(t, err)
		if waited := time.Since(started); waited > 2*time.Second {
			t.Errorf("Verify waited %v for a silent key server", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = v.Verify(ctx, token)
		assertUnavailable(t, err)
		if ctx.Err() == nil {
			t.Error("Verify gave up before its context was done")
		}

		// Those who wait when the answer comes are served by it.
		result := make(chan error)
		go func() {
			_, err := v.Verify(t.Context(), token)
			result <- err
		}()
		synctest.Wait()
		close(release)
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestLastKeysStayWhileTheKeyServerIsAway(t *testing.T) {
	answers := map[string]func(*keyServer){
		"error":        (*keyServer).goAway,
		"no JSON":      func(s *keyServer) { s.publishDocument([]byte("<html>maintenance</html>")) },
		"not a set":    func(s *keyServer) { s.publishDocument([]byte(`{"error":"try later"}`)) },
		"keys is null": func(s *keyServer) { s.publishDocument([]byte(`{"keys":null}`)) },
		"no keys":      func(s *keyServer) { s.publishDocument([]byte(`{"keys":[]}`)) },
		"no usable key": func(s *keyServer) {
			s.publishDocument([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"2025"},{"kty":"new"}]}`))
		},
		"endless": func(s *keyServer) {
			s.publishDocument(append([]byte(`{"keys":[]`), bytes.Repeat([]byte(" "), 256<<10)...))
		},
	}
	for name, goAway := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				keys := newKeyServer(t, oldKey())
				v := newVerifier(t, remoteConfig(keys))
				synctest.Wait()
				goAway(keys)
				time.Sleep(time.Hour)

				if _, err := v.Verify(t.Context(), oldKey().sign(t, good(nil))); err != nil {
					t.Errorf("a key that was known: %v", err)
				}
				_, err := v.Verify(t.Context(), newKey().sign(t, good(nil)))
				assertUnavailable(t, err) // there may be such a key by now

				keys.publish(t, oldKey(), newKey())
				time.Sleep(time.Minute)
				if _, err := v.Verify(t.Context(), newKey().sign(t, good(nil))); err != nil {
					t.Errorf("after it came back: %v", err)
				}
			})
		})
	}
}

func TestWithdrawnKeysAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeyServer(t, oldKey(), newKey())
		cfg := remoteConfig(keys)
		cfg.JWKSRefresh = time.Minute
		v := newVerifier(t, cfg)
		synctest.Wait()
		token := oldKey().sign(t, good(nil))
		who, err := v.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		keys.publish(t, newKey())
		time.Sleep(time.Minute + time.Minute/10 + time.Second)

		if who.Holds() {
			t.Error("the token holds without its key")
		}
		_, err = v.Verify(t.Context(), token)
		assertRefused(t, err, token, "no such key")
	})
}

func TestKeysMayRotateTwiceInAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeyServer(t, oldKey())
		v := newVerifier(t, remoteConfig(keys))
		synctest.Wait()
		for _, k := range []key{newKey(), {"2027", jwt.SigningMethodES384, p384Key()}} {
			time.Sleep(4 * time.Second)
			keys.publish(t, k)
			if _, err := v.Verify(t.Context(), k.sign(t, good(nil))); err != nil {
				t.Errorf("the key %s: %v", k.id, err)
			}
		}
	})
}

func TestManyUnknownKeyIDsCannotFloodTheKeyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeyServer(t, oldKey())
		v := newVerifier(t, remoteConfig(keys))
		synctest.Wait()
		for i := range 1000 {
			k := key{fmt.Sprint("made up ", i), jwt.SigningMethodES256, p256Key()}
			if _, err := v.Verify(t.Context(), k.sign(t, good(nil))); authz.KindOf(err) != authz.Unauthenticated {
				t.Fatalf("error = %v, want an Unauthenticated one", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := keys.fetches.Load(); got > 1+4+10 {
			t.Errorf("%d fetches in 100 s", got)
		}
	})
}

// A key server that is away, or that publishes nothing of use, is no reason to
// refuse a key that is known, nor to wait for it.
func TestAKnownKeyDoesNotWaitForTheKeyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeyServer(t, oldKey())
		v := newVerifier(t, remoteConfig(keys))
		synctest.Wait()
		keys.goAway()
		time.Sleep(time.Hour)
		started := time.Now()
		if _, err := v.Verify(t.Context(), oldKey().sign(t, good(nil))); err != nil || time.Since(started) != 0 {
			t.Errorf("error = %v after %v", err, time.Since(started))
		}
	})
}

func TestUnknownKeyIDsCannotFloodTheKeyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeyServer(t, oldKey())
		v := newVerifier(t, remoteConfig(keys))
		synctest.Wait()
		token := newKey().sign(t, good(nil))

		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if _, err := v.Verify(t.Context(), token); authz.KindOf(err) != authz.Unauthenticated {
					t.Errorf("error = %v, want an Unauthenticated one", err)
				}
			})
		}
		all.Wait()
		if got := keys.fetches.Load(); got != 2 {
			t.Errorf("%d fetches for 100 tokens at once, want 2 with the first", got)
		}

		keys.publish(t, newKey())
		time.Sleep(11 * time.Second)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("a key that was published meanwhile: %v", err)
		}
	})
}

func TestAnAbandonedRequestDoesNotEndTheFetchOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := newKey().sign(t, good(nil))
		keys := newKeyServer(t, newKey())
		var slow http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Second):
				keys.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		}
		cfg := remoteConfig(keys)
		cfg.HTTPClient = &http.Client{Transport: inMemory{slow}}
		v := newVerifier(t, cfg)

		abandoned, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _, _ = v.Verify(abandoned, token) })
		all.Go(func() {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		all.Wait()
	})
}

func TestFetchingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeyServer(t, oldKey())
		ctx, cancel := context.WithCancel(t.Context())
		v, err := identity.New(ctx, remoteConfig(keys))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		time.Sleep(24 * time.Hour)
		if got := keys.fetches.Load(); got != 1 {
			t.Errorf("%d fetches, want the first only", got)
		}
		if _, err := v.Verify(t.Context(), oldKey().sign(t, good(nil))); err != nil {
			t.Errorf("a known key afterwards: %v", err)
		}
		started, token := time.Now(), newKey().sign(t, good(nil))
		_, err = v.Verify(t.Context(), token)
		assertRefused(t, err, token, "no such key")
		if waited := time.Since(started); waited != 0 {
			t.Errorf("waited %v for a fetch that is not made", waited)
		}
	})
}

func TestFailedFetchesAreLoggedWithoutTheURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		cfg := remoteConfig(&keyServer{})
		cfg.HTTPClient = &http.Client{Transport: unreachable{}}
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		newVerifier(t, cfg)
		synctest.Wait()
		if got := log.String(); !strings.Contains(got, "key set") || !strings.Contains(got, "no route") || strings.Contains(got, "s3cret") {
			t.Errorf("log = %q", got)
		}
	})
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &noRouteError{}
}

type noRouteError struct{}

func (*noRouteError) Error() string { return "no route to host" }
