package identity_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/integration/oidctest"
)

func discovering(i *oidctest.Issuer) identity.Config {
	return identity.Config{Issuer: oidctest.Auth0.Issuer, Discover: true, Audience: "https://sync.example.com", HTTPClient: oidctest.Client(i)}
}

func TestKeysAreDiscoveredAndRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.New(t, oidctest.Auth0)
		v := newVerifier(t, discovering(issuer))
		old := issuer.Token(t, nil)
		if who, err := v.Verify(t.Context(), old); err != nil || who.Subject.String() != "user:auth0|5f7c8ec7c33c6c004bbafe82" {
			t.Fatalf("%v, %v", who.Subject, err)
		}
		issuer.Rotate(t)
		if _, err := v.Verify(t.Context(), issuer.Token(t, nil)); err != nil {
			t.Errorf("a token with a new key: %v", err)
		}
		if _, err := v.Verify(t.Context(), old); err != nil {
			t.Errorf("a token with the key before: %v", err)
		}
		issuer.Retire()
		time.Sleep(identity.DefaultJWKSRefresh + time.Minute)
		_, err := v.Verify(t.Context(), old)
		assertRefused(t, err, old, "no such key")
	})
}

func TestADiscoveryDocumentThatIsWrongGivesNoKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for why, document := range map[string]string{
			`names the issuer "https://evil.example/"`: `{"issuer":"https://evil.example/","jwks_uri":"https://acme.eu.auth0.com/keys"}`,
			`names the issuer ""`:                      `{"jwks_uri":"https://acme.eu.auth0.com/keys"}`,
			// The slash at the end is a part of the name.
			`names the issuer "https://acme.eu.auth0.com"`: `{"issuer":"https://acme.eu.auth0.com","jwks_uri":"https://acme.eu.auth0.com/keys"}`,
			"has no http or https URL":                     `{"issuer":"https://acme.eu.auth0.com/","jwks_uri":"file:///etc/keys"}`,
			"without TLS":                                  `{"issuer":"https://acme.eu.auth0.com/","jwks_uri":"http://acme.eu.auth0.com/keys"}`,
			"cannot be read as JSON":                       `{"issuer":"https://acme.eu.auth0.com/","jwks_uri":7}`,
		} {
			cfg := identity.Config{Issuer: oidctest.Auth0.Issuer, Discover: true, HTTPClient: &http.Client{Transport: inMemory{http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/.well-known/openid-configuration" {
						t.Errorf("%s is asked for", r.URL.Path)
					}
					_, _ = w.Write([]byte(document))
				})}}}
			err := cfg.FetchKeys(t.Context())
			if !identity.IsWrongDocument(err) || !strings.Contains(err.Error(), why) {
				t.Errorf("%s: %v", why, err)
			}
			token := oidctest.New(t, oidctest.Auth0).Token(t, nil)
			if _, err := newVerifier(t, cfg).Verify(t.Context(), token); authz.KindOf(err) != authz.Unavailable {
				t.Errorf("%s: a token gets %v", why, err)
			}
		}
	})
}

func TestKeysThatAreAskedForOnce(t *testing.T) {
	issuer := oidctest.New(t, oidctest.Auth0)
	cfg := discovering(issuer)
	if err := cfg.FetchKeys(t.Context()); err != nil {
		t.Error(err)
	}
	issuer.GoAway(true)
	if err := cfg.FetchKeys(t.Context()); err == nil || identity.IsWrongDocument(err) {
		t.Errorf("away: %v", err)
	}
	if err := secretConfig().FetchKeys(t.Context()); err != nil {
		t.Errorf("a secret is not fetched: %v", err)
	}
}

// The scheme of a URL may be written in capitals.
func TestAnIssuerInCapitalsHasTLSToo(t *testing.T) {
	for issuer, keys := range map[string]string{
		"HTTPS://login.example.com": "http://login.example.com/keys",
		"https://login.example.com": "HTTPS://login.example.com/keys",
	} {
		document := `{"issuer":"` + issuer + `","jwks_uri":"` + keys + `"}`
		cfg := identity.Config{Issuer: issuer, Discover: true, HTTPClient: &http.Client{Transport: inMemory{http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/keys") {
					_, _ = w.Write([]byte(`{"keys":[]}`))
					return
				}
				_, _ = w.Write([]byte(document))
			})}}}
		err := cfg.FetchKeys(t.Context())
		if wrong := strings.HasPrefix(keys, "http:"); identity.IsWrongDocument(err) != wrong {
			t.Errorf("%s: %v", document, err)
		}
	}
}

// Keys that anybody on the way could replace are none, wherever the way ends.
func TestKeysAreNotFetchedWithoutTLSByWayOfARedirect(t *testing.T) {
	keys := oidctest.New(t, oidctest.Auth0)
	var plain *httptest.Server
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("redirected") {
			keys.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, plain.URL+r.URL.RequestURI(), http.StatusFound)
	}))
	t.Cleanup(secure.Close)
	for name, answer := range map[string]http.Handler{
		"ends": keys,
		"goes on with TLS": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, secure.URL+r.URL.Path+"?redirected", http.StatusFound)
		}),
	} {
		plain = httptest.NewServer(answer)
		err := identity.Config{JWKSURL: secure.URL + "/keys", HTTPClient: secure.Client()}.FetchKeys(t.Context())
		plain.Close()
		if err == nil || !strings.Contains(err.Error(), "without TLS") {
			t.Errorf("where it %s: got %v", name, err)
		}
	}
}
