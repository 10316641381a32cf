package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/integration/oidctest"
)

// configOf believes a product's issuer, with nothing but its keys.
func configOf(p oidctest.Product, i *oidctest.Issuer) identity.Config {
	cfg := identity.Config{Issuer: p.Issuer, Discover: p.Discovers, HTTPClient: oidctest.Client(i)}
	if !p.Discovers {
		cfg.JWKSURL = p.Keys
	}
	return cfg
}

func TestTheTokensIssuerPicksItsKeysAndItsRules(t *testing.T) {
	auth0, supabase := oidctest.New(t, oidctest.Auth0), oidctest.New(t, oidctest.Supabase)
	a, s := configOf(oidctest.Auth0, auth0), configOf(oidctest.Supabase, supabase)
	a.Audience = "https://sync.example.com"
	s.Audience, s.SubjectType, s.Algorithms = "authenticated", "customer", []string{"ES256"}
	own := identity.Config{Issuer: "own", Secret: []byte(secret), SubjectType: "service"}
	v, err := identity.New(t.Context(), a, s, own)
	if err != nil {
		t.Fatal(err)
	}
	signedHere, err := own.Sign("backup", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{
		auth0.Token(t, nil):    "user:auth0|5f7c8ec7c33c6c004bbafe82",
		supabase.Token(t, nil): "customer:8b1b2f6e-30b2-4c3f-9d6a-2f0a5c1f7f11",
		signedHere:             "service:backup",
	} {
		for range 2 { // the second time it is known
			if who, err := v.Verify(t.Context(), token); err != nil || who.Subject.String() != want {
				t.Errorf("%v, %v, want %s", who.Subject, err, want)
			}
		}
	}
	byAuth0 := map[string]any{"iss": oidctest.Supabase.Issuer, "aud": "authenticated"}
	for why, token := range map[string]string{
		// One issuer's keys verify no token of another's, and neither does the secret.
		"algorithm":                      auth0.Token(t, byAuth0),
		"no such key":                    signedByNobody(t, oidctest.Supabase.Issuer),
		"accepted":                       signHS256(t, jwt.MapClaims{"iss": oidctest.Auth0.Issuer, "sub": "a", "exp": now.Unix() << 1}),
		"none of the configured issuers": auth0.Token(t, map[string]any{"iss": "https://evil.example/"}),
		"iss is not a string":            auth0.Token(t, map[string]any{"iss": 7}),
		"none of the configured":         auth0.Token(t, map[string]any{"iss": nil}),
		"aud":                            supabase.Token(t, map[string]any{"aud": "https://sync.example.com"}),
		"signed JWT":                     "nonsense",
		"not a signed JWT":               "a.b%.c",
	} {
		_, err := v.Verify(t.Context(), token)
		assertRefused(t, err, token, why)
	}
	// A key of the same name and kind, of another issuer.
	impostor := oidctest.New(t, oidctest.Supabase).Token(t, nil)
	_, err = v.Verify(t.Context(), impostor)
	assertRefused(t, err, impostor, "signature")
}

func signedByNobody(t *testing.T, issuer string) string {
	t.Helper()
	return signed(t, jwt.SigningMethodES256, map[string]any{"kid": "unknown"}, jwt.MapClaims{"iss": issuer, "aud": "authenticated", "sub": "a", "exp": time.Now().Add(time.Hour).Unix()}, p256Key())
}

// Of two issuers whose keys are away one by one, the other's tokens go on.
func TestOneIssuerBeingAwayIsNoMatterOfAnother(t *testing.T) {
	auth0, supabase := oidctest.New(t, oidctest.Auth0), oidctest.New(t, oidctest.Supabase)
	supabase.GoAway(true)
	s := configOf(oidctest.Supabase, supabase)
	s.SubjectType = "customer"
	v, err := identity.New(t.Context(), configOf(oidctest.Auth0, auth0), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), auth0.Token(t, nil)); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), supabase.Token(t, nil)); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestSubjectsOfTwoIssuersAreApartUnlessBothSayOtherwise(t *testing.T) {
	ids := func(issuer, typ string, ids identity.SubjectIDs) identity.Config {
		return identity.Config{Issuer: issuer, Secret: []byte(secret), SubjectType: typ, SubjectIDs: ids}
	}
	prefix := func(p string) identity.SubjectIDs { return identity.SubjectIDs{Prefix: p} }
	shared := identity.SubjectIDs{Shared: true}
	for _, tt := range []struct {
		name string
		a, b identity.Config
		why  string // empty: they are accepted
	}{
		{"one type", ids("a", "", identity.SubjectIDs{}), ids("b", "user", identity.SubjectIDs{}), "the issuers a and b can both give the same user"},
		{"two types", ids("a", "", identity.SubjectIDs{}), ids("b", "customer", identity.SubjectIDs{}), ""},
		{"two prefixes", ids("a", "", prefix("a/")), ids("b", "", prefix("b/")), ""},
		{"a prefix alone", ids("a", "", prefix("a/")), ids("b", "", identity.SubjectIDs{}), "can both give"},
		{"a prefix of a prefix", ids("a", "", prefix("a")), ids("b", "", prefix("a/b")), "can both give"},
		{"both say so", ids("a", "", shared), ids("b", "", shared), ""},
		{"one says so", ids("a", "", shared), ids("b", "", identity.SubjectIDs{}), "can both give"},
		{"one issuer twice", ids("a", "x-x", identity.SubjectIDs{}), ids("a", "customer", identity.SubjectIDs{}), "subject type"},
		{"one issuer with two types", ids("a", "", identity.SubjectIDs{}), ids("a", "customer", identity.SubjectIDs{}), "a is given twice"},
		{"no name", ids("a", "", identity.SubjectIDs{}), ids("", "customer", identity.SubjectIDs{}), "has no name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := identity.New(t.Context(), tt.a, tt.b)
			if tt.why == "" && err != nil || tt.why != "" && (authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), tt.why)) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := identity.New(t.Context()); authz.KindOf(err) != authz.Invalid {
		t.Errorf("without issuers: %v", err)
	}
}

func TestIDsOfSubjectsCanBePrefixedAndEncoded(t *testing.T) {
	for _, tt := range []struct {
		ids   identity.SubjectIDs
		value any
		want  string // empty: refused
	}{
		{identity.SubjectIDs{}, "auth0|5f7c8e", "user:auth0|5f7c8e"},
		{identity.SubjectIDs{}, "ann@example.com", ""},
		{identity.SubjectIDs{Prefix: "staff/"}, "ann", "user:staff/ann"},
		{identity.SubjectIDs{Prefix: "staff/"}, 42, "user:staff/42"},
		{identity.SubjectIDs{Prefix: "staff/"}, "", ""},
		{identity.SubjectIDs{Prefix: "staff/"}, "*", ""},
		{identity.SubjectIDs{Base64URL: true}, "ann@example.com", "user:YW5uQGV4YW1wbGUuY29t"},
		// What is an id already is encoded too, or it could be that of another.
		{identity.SubjectIDs{Base64URL: true}, "YW5uQGV4YW1wbGUuY29t", "user:WVc1dVFHVjRZVzF3YkdVdVkyOXQ"},
		{identity.SubjectIDs{Base64URL: true}, "*", "user:Kg"},
		{identity.SubjectIDs{Base64URL: true}, "", ""},
		{identity.SubjectIDs{Base64URL: true}, strings.Repeat("x", 768), "user:" + strings.Repeat("eHh4", 256)},
		{identity.SubjectIDs{Base64URL: true}, strings.Repeat("x", 769), ""},
		{identity.SubjectIDs{Prefix: "sso/", Base64URL: true}, "é", "user:sso/w6k"},
	} {
		cfg := secretConfig()
		cfg.SubjectIDs = tt.ids
		token := signHS256(t, good(map[string]any{"sub": tt.value}))
		who, err := newVerifier(t, cfg).Verify(t.Context(), token)
		if tt.want == "" {
			assertRefused(t, err, token, "no object id to SpiceDB")
			continue
		}
		if err != nil || who.Subject.String() != tt.want {
			t.Errorf("%+v of %v: %v, %v", tt.ids, tt.value, who.Subject, err)
		}
	}
}

func TestAnAlgorithmThatIsNotNamedIsRefused(t *testing.T) {
	issuer := oidctest.New(t, oidctest.Auth0)
	cfg := discovering(issuer)
	cfg.Algorithms = []string{"ES256", "PS256"}
	token := issuer.Token(t, nil)
	_, err := newVerifier(t, cfg).Verify(t.Context(), token)
	assertRefused(t, err, token, "algorithm is not accepted")
	cfg.Algorithms = []string{"RS256"}
	if _, err := newVerifier(t, cfg).Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}
