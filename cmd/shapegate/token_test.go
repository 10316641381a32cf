package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz/identity"
)

// The token is all that is printed, and a shapegate with the same settings accepts it.
func TestToken(t *testing.T) {
	env := map[string]string{
		"SHAPEGATE_JWT_SECRET": strings.Repeat("s", 32), "SHAPEGATE_JWT_ISSUER": "https://issuer.example",
		"SHAPEGATE_JWT_AUDIENCE": "app", "SHAPEGATE_SUBJECT_CLAIM": "uid",
	}
	got := shapegate(t, env, "", "token", "user:bob", "--claim", "clearance=2", "--claim", "team=red", "--claim", `groups=["a","b"]`, "--claim", "note=a=b", "--ttl", "5m")
	got.expect(t, 0, ".", "")
	if got.stderr != "" || strings.Count(got.stdout, "\n") != 1 {
		t.Fatalf("stdout %q, stderr %q", got.stdout, got.stderr)
	}
	s, err := loadSettings(t, env)
	if err != nil {
		t.Fatal(err)
	}
	v, err := identity.New(t.Context(), s.identityConfig())
	if err != nil {
		t.Fatal(err)
	}
	who, err := v.Verify(t.Context(), strings.TrimSpace(got.stdout))
	if err != nil {
		t.Fatal(err)
	}
	claims := who.Subject.Claims
	delete(claims, "iat")
	delete(claims, "exp")
	want := map[string]any{
		"uid": "bob", "iss": "https://issuer.example", "aud": "app",
		"clearance": 2.0, "team": "red", "groups": []any{"a", "b"}, "note": "a=b",
	}
	if diff := cmp.Diff(want, claims); diff != "" || who.Subject.String() != "user:bob" {
		t.Errorf("of %s (-want +got):\n%s", who.Subject.ObjectRef, diff)
	}
}

func TestTokenIsRefused(t *testing.T) {
	env := map[string]string{"SHAPEGATE_JWT_SECRET": strings.Repeat("s", 32)}
	keys := map[string]string{"SHAPEGATE_JWKS_URL": "https://issuer.example/jwks"}
	both := with(keys, "SHAPEGATE_JWT_SECRET", strings.Repeat("s", 32))
	for _, test := range []struct {
		env  map[string]string
		args []string
		want string
	}{
		{env, nil, "token wants PERSON"},
		{env, []string{"group:staff"}, "SHAPEGATE_SUBJECT_TYPE"},
		{env, []string{"bob@example.com"}, "characters"},
		{env, []string{"bob", "--claim", "x"}, "name=value"},
		{env, []string{"bob", "--claim", "x=1", "--claim", "x=2"}, "each name once"},
		{env, []string{"bob", "--claim", "sub=alice"}, `"sub"`},
		{env, []string{"bob", "--ttl", "0s"}, "at least a second"},
		{nil, []string{"bob"}, "not set: SHAPEGATE_JWT_SECRET (--jwt-secret)"},
		{keys, []string{"bob"}, "--ignore-jwks"},
		{keys, []string{"bob", "--ignore-jwks"}, "not set: SHAPEGATE_JWT_SECRET"},
		{both, []string{"bob"}, "exclude each other"},
	} {
		got := shapegate(t, test.env, "", append([]string{"token"}, test.args...)...)
		got.expect(t, 2, "", test.want)
		if got.stdout != "" {
			t.Errorf("%v: it prints %q", test.args, got.stdout)
		}
	}
	shapegate(t, both, "", "token", "bob", "--ignore-jwks").expect(t, 0, "ey", "")
}
