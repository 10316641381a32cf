package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
)

// What is signed is what a verifier of the same configuration reads.
func TestASignedTokenIsAccepted(t *testing.T) {
	secret := []byte(strings.Repeat("s", identity.MinSecretSize))
	for name, test := range map[string]struct {
		cfg     identity.Config
		further map[string]any
		want    map[string]any // among the claims
	}{
		"the defaults":          {identity.Config{}, map[string]any{"clearance": 2}, map[string]any{"sub": "bob", "clearance": 2.0}},
		"issuer and audience":   {identity.Config{Issuer: "https://issuer.example", Audience: "app"}, nil, map[string]any{"iss": "https://issuer.example", "aud": "app"}},
		"a claim with a path":   {identity.Config{SubjectClaim: "app.user.id"}, map[string]any{"app": map[string]any{"role": "x"}}, map[string]any{"app": map[string]any{"role": "x", "user": map[string]any{"id": "bob"}}}},
		"a claim that is a URL": {identity.Config{SubjectClaim: "https://app.example/uid"}, nil, map[string]any{"https://app.example/uid": "bob"}},
		"another type":          {identity.Config{SubjectType: "service"}, nil, map[string]any{"sub": "bob"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.cfg.Secret = secret
			token, err := test.cfg.Sign("bob", test.further, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			v, err := identity.New(t.Context(), test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			who, err := v.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if who.Subject.ID != "bob" || test.cfg.SubjectType != "" && who.Subject.Type != test.cfg.SubjectType {
				t.Errorf("it is of %s", who.Subject.ObjectRef)
			}
			if left := time.Until(who.Expires); left < 59*time.Minute || left > time.Hour {
				t.Errorf("it holds for %v", left)
			}
			for claim, want := range test.want {
				if diff := cmp.Diff(want, who.Subject.Claims[claim]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", claim, diff)
				}
			}
		})
	}
}

func TestWhatCannotBeSigned(t *testing.T) {
	cfg := identity.Config{Secret: []byte(strings.Repeat("s", identity.MinSecretSize))}
	keys := identity.Config{JWKSURL: "https://issuer.example/jwks"}
	nested := cfg
	nested.SubjectClaim = "app.id"
	for name, test := range map[string]struct {
		cfg     identity.Config
		subject string
		further map[string]any
		life    time.Duration
		want    string
	}{
		"keys of an issuer":     {keys, "bob", nil, time.Hour, "no secret"},
		"no life":               {cfg, "bob", nil, 0, "at least a second"},
		"an e-mail address":     {cfg, "bob@example.com", nil, time.Hour, "characters"},
		"everybody":             {cfg, "*", nil, time.Hour, "characters"},
		"another subject":       {cfg, "bob", map[string]any{"sub": "alice"}, time.Hour, `"sub"`},
		"another end":           {cfg, "bob", map[string]any{"exp": 1}, time.Hour, `"exp"`},
		"the subject's place":   {nested, "bob", map[string]any{"app": "x"}, time.Hour, `"app"`},
		"too long for a header": {cfg, "bob", map[string]any{"x": strings.Repeat("x", identity.MaxTokenSize)}, time.Hour, "shorter"},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := test.cfg.Sign(test.subject, test.further, test.life)
			if err == nil || token != "" || authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, %v", token, err)
			}
		})
	}
}
