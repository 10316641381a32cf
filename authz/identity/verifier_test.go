package identity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	keySetURL = "https://issuer.example/keys?client=s3cret"
	secret    = "an HS256 secret of no less than 32 bytes"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func fixedNow() time.Time { return now }

// good returns claims that every verifier here accepts, with changes; nil takes
// a claim away.
func good(changes map[string]any) jwt.MapClaims {
	claims := jwt.MapClaims{
		"sub": "alice",
		"iss": "https://issuer.example/",
		"aud": "shapes",
		"iat": now.Add(-time.Minute).Unix(),
		"exp": now.Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
	}
	return claims
}

func newVerifier(tb testing.TB, cfg identity.Config) *identity.Verifier {
	tb.Helper()
	v, err := identity.New(tb.Context(), cfg)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	return v
}

func secretConfig() identity.Config {
	return identity.Config{Secret: []byte(secret), Issuer: "https://issuer.example/", Audience: "shapes", Now: fixedNow}
}

func remoteConfig(s *keyServer) identity.Config {
	return identity.Config{JWKSURL: keySetURL, Issuer: "https://issuer.example/", Audience: "shapes", Now: fixedNow, HTTPClient: s.client()}
}

func signHS256(tb testing.TB, claims jwt.Claims) string {
	tb.Helper()
	return signed(tb, jwt.SigningMethodHS256, nil, claims, []byte(secret))
}

// assertRefused checks that an error is a refusal that says why, and repeats no
// part of the token.
func assertRefused(t *testing.T, err error, token, why string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	if got := authz.KindOf(err); got != authz.Unauthenticated {
		t.Fatalf("kind = %v, want unauthenticated: %v", got, err)
	}
	if !strings.Contains(err.Error(), why) {
		t.Errorf("error %q does not say %q", err, why)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 3 && strings.Contains(err.Error(), part) {
			t.Errorf("error %q contains %q of the token", err, part)
		}
	}
}

func TestVerifyAcceptsWhatTheIssuerSigned(t *testing.T) {
	keys := []key{
		{"rs256", jwt.SigningMethodRS256, rsaKey()},
		{"rs384", jwt.SigningMethodRS384, rsaKey()},
		{"rs512", jwt.SigningMethodRS512, rsaKey()},
		{"ps256", jwt.SigningMethodPS256, rsaKey()},
		{"ps384", jwt.SigningMethodPS384, rsaKey()},
		{"ps512", jwt.SigningMethodPS512, rsaKey()},
		{"es256", jwt.SigningMethodES256, p256Key()},
		{"es384", jwt.SigningMethodES384, p384Key()},
		{"es512", jwt.SigningMethodES512, p521Key()},
		{"eddsa", jwt.SigningMethodEdDSA, ed25519Key()},
	}
	remote := newVerifier(t, remoteConfig(newKeyServer(t, keys...)))
	for _, k := range keys {
		t.Run(k.id, func(t *testing.T) {
			got, err := remote.Verify(t.Context(), k.sign(t, good(nil)))
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject.String() != "user:alice" {
				t.Errorf("subject = %v", got.Subject)
			}
		})
	}
	t.Run("hs256", func(t *testing.T) {
		got, err := newVerifier(t, secretConfig()).Verify(t.Context(), signHS256(t, good(map[string]any{
			"groups": []string{"a", "b"}, "age": 41, "address": map[string]any{"zip": 8001},
		})))
		if err != nil {
			t.Fatal(err)
		}
		want := identity.Identity{
			Subject: authz.Subject{
				ObjectRef: authz.ObjectRef{Type: "user", ID: "alice"},
				Claims: map[string]any{
					"sub": "alice", "iss": "https://issuer.example/", "aud": "shapes",
					"iat": float64(now.Add(-time.Minute).Unix()), "exp": float64(now.Add(time.Hour).Unix()),
					"groups": []any{"a", "b"}, "age": 41.0, "address": map[string]any{"zip": 8001.0},
				},
			},
			Expires: now.Add(time.Hour),
		}
		if !got.Expires.Equal(want.Expires) {
			t.Errorf("expires = %v, want %v", got.Expires, want.Expires)
		}
		if !reflect.DeepEqual(got.Subject, want.Subject) {
			t.Errorf("subject = %#v, want %#v", got.Subject, want.Subject)
		}
	})
}

func TestVerifyChecksTheClaims(t *testing.T) {
	const accepted = ""
	unix := func(d time.Duration) int64 { return now.Add(d).Unix() }
	tests := []struct {
		name   string
		claims map[string]any
		why    string
	}{
		{"as they should be", nil, accepted},
		{"wrong issuer", map[string]any{"iss": "https://evil.example/"}, "issuer"},
		{"no issuer", map[string]any{"iss": nil}, "iss claim is required"},
		{"issuer of the wrong type", map[string]any{"iss": []string{"https://issuer.example/"}}, "iss is not a string"},
		{"wrong audience", map[string]any{"aud": "mail"}, "audience"},
		{"no audience", map[string]any{"aud": nil}, "aud claim is required"},
		{"empty list of audiences", map[string]any{"aud": []string{}}, "aud claim is required"},
		{"audience in a list", map[string]any{"aud": []string{"mail", "shapes"}}, accepted},
		{"list of other audiences", map[string]any{"aud": []string{"mail", "chat"}}, "audience"},
		{"audience of the wrong type", map[string]any{"aud": 7}, "aud is neither"},
		{"list of mixed audiences", map[string]any{"aud": []any{"shapes", 7}}, "aud is neither"},
		{"no expiry", map[string]any{"exp": nil}, "exp claim is required"},
		{"expired", map[string]any{"exp": unix(-time.Hour)}, "expired"},
		{"expires now", map[string]any{"exp": unix(0)}, "expired"},
		{"expired within the leeway", map[string]any{"exp": unix(-time.Second)}, "expired"},
		{"expires in half a second", map[string]any{"exp": float64(unix(0)) + 0.5}, accepted},
		{"expiry is text", map[string]any{"exp": "2030-01-01"}, "number of seconds"},
		{"expiry is zero", map[string]any{"exp": 0}, "expired"},
		{"expiry is negative", map[string]any{"exp": -1}, "number of seconds"},
		{"expiry is in milliseconds", map[string]any{"exp": now.Add(time.Hour).UnixMilli()}, "number of seconds"},
		{"expiry is no finite number", map[string]any{"exp": jsonNumber("1e999")}, "number of seconds"},
		{"not yet valid", map[string]any{"nbf": unix(time.Minute)}, "not valid yet"},
		{"valid within the leeway", map[string]any{"nbf": unix(20 * time.Second)}, accepted},
		{"valid since", map[string]any{"nbf": unix(-time.Minute)}, accepted},
		{"not-before is text", map[string]any{"nbf": "now"}, "number of seconds"},
		{"issued in the future", map[string]any{"iat": unix(time.Minute)}, "before issued"},
		{"issued within the leeway", map[string]any{"iat": unix(20 * time.Second)}, accepted},
		{"a number without a value", map[string]any{"x": jsonNumber("1e999")}, "out of the range"},
	}
	v := newVerifier(t, secretConfig())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token := signHS256(t, good(tt.claims))
			id, err := v.Verify(t.Context(), token)
			if tt.why != accepted {
				assertRefused(t, err, token, tt.why)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !id.Expires.After(now) {
				t.Errorf("expires %v, which is past", id.Expires)
			}
		})
	}

	t.Run("issuer and audience are only checked when configured", func(t *testing.T) {
		v := newVerifier(t, identity.Config{Secret: []byte(secret), Now: fixedNow})
		if _, err := v.Verify(t.Context(), signHS256(t, good(map[string]any{"iss": nil, "aud": "mail"}))); err != nil {
			t.Error(err)
		}
	})
	t.Run("no leeway", func(t *testing.T) {
		v := newVerifier(t, identity.Config{Secret: []byte(secret), Now: fixedNow, Leeway: -1})
		token := signHS256(t, good(map[string]any{"nbf": unix(time.Second)}))
		_, err := v.Verify(t.Context(), token)
		assertRefused(t, err, token, "not valid yet")
	})
}

// rawNumber is written to JSON as it stands.
type rawNumber string

func jsonNumber(s string) rawNumber              { return rawNumber(s) }
func (n rawNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }

func TestVerifyReadsTheSubject(t *testing.T) {
	const refused = ""
	tests := []struct {
		name   string
		claim  string
		claims map[string]any
		want   string
	}{
		{"sub by default", "", nil, "user:alice"},
		{"id of an identity provider", "", map[string]any{"sub": "auth0|5f7c8ec7"}, "user:auth0|5f7c8ec7"},
		{"UUID", "", map[string]any{"sub": "7d3b5f7a-9d1c-4a55-8d0e-2f1f8a9b0c1d"}, "user:7d3b5f7a-9d1c-4a55-8d0e-2f1f8a9b0c1d"},
		{"e-mail address", "", map[string]any{"sub": "alice@example.com"}, refused},
		{"wildcard", "", map[string]any{"sub": "*"}, refused},
		{"empty", "", map[string]any{"sub": ""}, refused},
		{"absent", "", map[string]any{"sub": nil}, refused},
		{"with a line break", "", map[string]any{"sub": "alice\n"}, refused},
		{"with a relation", "", map[string]any{"sub": "alice#member"}, refused},
		{"too long", "", map[string]any{"sub": strings.Repeat("a", 1025)}, refused},
		{"list", "", map[string]any{"sub": []string{"alice"}}, refused},
		{"truth value", "", map[string]any{"sub": true}, refused},
		{"whole number", "", map[string]any{"sub": 42}, "user:42"},
		{"zero", "", map[string]any{"sub": 0}, "user:0"},
		{"number that a double cannot hold exactly", "", map[string]any{"sub": jsonNumber("9007199254740993")}, "user:9007199254740993"},
		{"whole number with a fraction part", "", map[string]any{"sub": jsonNumber("42.0")}, "user:42"},
		{"whole number with an exponent", "", map[string]any{"sub": jsonNumber("1e3")}, "user:1000"},
		{"inexact number", "", map[string]any{"sub": jsonNumber("1e300")}, refused},
		{"fraction", "", map[string]any{"sub": 4.2}, refused},
		{"other claim", "uid", map[string]any{"uid": "a1"}, "user:a1"},
		{"claim named by a URL", "https://x/uid", map[string]any{"https://x/uid": "a1"}, "user:a1"},
		{"path", "app_metadata.uid", map[string]any{"app_metadata": map[string]any{"uid": "a1"}}, "user:a1"},
		{"deep path", "a.b.c", map[string]any{"a": map[string]any{"b": map[string]any{"c": "a1"}}}, "user:a1"},
		{"path below a URL", "https://x.example/claims.uid", map[string]any{"https://x.example/claims": map[string]any{"uid": "a1"}}, "user:a1"},
		{"literal name before path", "a.b", map[string]any{"a.b": "literal", "a": map[string]any{"b": "nested"}}, "user:literal"},
		{"bad literal name is not made up for by a path", "a.b", map[string]any{"a.b": "*", "a": map[string]any{"b": "nested"}}, refused},
		{"path through a string", "sub.uid", nil, refused},
		{"path through nothing", "x.uid", nil, refused},
		{"path to an object", "a", map[string]any{"a": map[string]any{"b": "c"}}, refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := secretConfig()
			cfg.SubjectClaim = tt.claim
			token := signHS256(t, good(tt.claims))
			got, err := newVerifier(t, cfg).Verify(t.Context(), token)
			if tt.want == refused {
				assertRefused(t, err, token, "claim")
				if sub, ok := tt.claims["sub"].(string); ok && len(sub) > 1 && strings.Contains(err.Error(), sub) {
					t.Errorf("error %q contains the claim's value", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject.String() != tt.want {
				t.Errorf("subject = %v, want %v", got.Subject, tt.want)
			}
		})
	}
	t.Run("type", func(t *testing.T) {
		cfg := secretConfig()
		cfg.SubjectType = "tenant/person"
		got, err := newVerifier(t, cfg).Verify(t.Context(), signHS256(t, good(nil)))
		if err != nil || got.Subject.String() != "tenant/person:alice" {
			t.Errorf("subject = %v, %v", got.Subject, err)
		}
	})
}

func TestVerifyRefusesForgeries(t *testing.T) {
	var (
		rs    = key{"rs", jwt.SigningMethodRS256, rsaKey()}
		es    = key{"es", jwt.SigningMethodES256, p256Key()}
		weak  = key{"weak", jwt.SigningMethodRS256, must(rsa.GenerateKey(rand.Reader, 1024))}
		other = key{"rs", jwt.SigningMethodRS256, otherRSA()} // another key under the id of rs
	)
	server := &keyServer{}
	server.publishMembers(
		rs.published(t, map[string]any{"alg": "RS256", "use": "sig"}),
		es.published(t, map[string]any{"alg": "ES256"}),
		weak.published(t, nil),
		key{"enc", nil, otherRSA()}.published(t, map[string]any{"use": "enc"}),
		key{"wrap", nil, otherRSA()}.published(t, map[string]any{"key_ops": []string{"wrapKey"}}),
		map[string]any{"kty": "oct", "kid": "shared", "k": base64.RawURLEncoding.EncodeToString([]byte(secret))},
		map[string]any{"kty": "lattice", "kid": "future"},
		map[string]any{"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
		map[string]any{"kty": 7},
	)
	remote := newVerifier(t, remoteConfig(server))
	shared := newVerifier(t, secretConfig())

	pkix := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	hs := func(header map[string]any, with []byte) string {
		return signed(t, jwt.SigningMethodHS256, header, good(nil), with)
	}
	unsigned := signed(t, jwt.SigningMethodNone, nil, good(nil), jwt.UnsafeAllowNoneSignatureType)
	valid := rs.sign(t, good(nil))
	segments := strings.Split(valid, ".")
	asText := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	payload := segments[1]

	tests := []struct {
		name     string
		verifier *identity.Verifier
		token    string
		why      string
	}{
		{"alg none, with keys", remote, unsigned, "algorithm"},
		{"alg none, with a secret", shared, unsigned, "algorithm"},
		{"alg None", remote, asText(`{"alg":"None"}`) + "." + payload + ".", "not a signed JWT"},
		{"no alg", remote, asText(`{"typ":"JWT"}`) + "." + payload + ".", "not a signed JWT"},
		{"HS256 with the public key in PEM", remote, hs(map[string]any{"kid": "rs"}, inPEM), "algorithm"},
		{"HS256 with the public key in DER", remote, hs(map[string]any{"kid": "rs"}, pkix), "algorithm"},
		{"HS256 with the modulus", remote, hs(map[string]any{"kid": "rs"}, rsaKey().N.Bytes()), "algorithm"},
		{"HS256 with a published symmetric key", remote, hs(map[string]any{"kid": "shared"}, []byte(secret)), "algorithm"},
		{"RS256 where a secret is configured", shared, valid, "algorithm"},
		{"HS512 where HS256 is pinned", shared, signed(t, jwt.SigningMethodHS512, nil, good(nil), []byte(secret)), "algorithm"},
		{"HS256 with another secret", shared, hs(nil, []byte(strings.ToUpper(secret))), "signature"},
		{"signed by another key under a known id", remote, other.sign(t, good(nil)), "signature"},
		{"signed by another key without an id", remote, signed(t, jwt.SigningMethodRS256, nil, good(nil), otherRSA()), "signature"},
		{"key id unknown", remote, signed(t, jwt.SigningMethodRS256, map[string]any{"kid": "nobody"}, good(nil), rsaKey()), "no such key"},
		{"key id is a number", remote, signed(t, jwt.SigningMethodRS256, map[string]any{"kid": 7}, good(nil), rsaKey()), "key id is not a string"},
		{"key of another algorithm in the family", remote, signed(t, jwt.SigningMethodRS512, map[string]any{"kid": "rs"}, good(nil), rsaKey()), "not meant for"},
		{"PSS where the key is for PKCS 1", remote, signed(t, jwt.SigningMethodPS256, map[string]any{"kid": "rs"}, good(nil), rsaKey()), "not meant for"},
		{"the other key's algorithm", remote, signed(t, jwt.SigningMethodRS256, map[string]any{"kid": "es"}, good(nil), rsaKey()), "not meant for"},
		{"a key for encryption", remote, signed(t, jwt.SigningMethodRS256, map[string]any{"kid": "enc"}, good(nil), otherRSA()), "no such key"},
		{"a key for wrapping", remote, signed(t, jwt.SigningMethodRS256, map[string]any{"kid": "wrap"}, good(nil), otherRSA()), "no such key"},
		{"a key of 1024 bits", remote, weak.sign(t, good(nil)), "no such key"},
		{"its own key in the header", remote, signed(t, jwt.SigningMethodRS256, map[string]any{"jwk": key{"x", nil, otherRSA()}.published(t, nil)}, good(nil), otherRSA()), "signature"},
		{"a critical header", shared, hs(map[string]any{"crit": []string{"b64"}, "b64": true}, []byte(secret)), "critical"},
		{"claims exchanged", remote, segments[0] + "." + asText(`{"sub":"bob","exp":99999999999}`) + "." + segments[2], "signature"},
		{"signature cut off", remote, segments[0] + "." + segments[1] + ".", "signature"},
		{"signature in another encoding", shared, signHS256(t, good(nil)) + "=", "not a signed JWT"},
		{"signature with other unused bits", shared, withOtherUnusedBits(signHS256(t, good(nil))), "not a signed JWT"},
		{"claims are a list", shared, signHS256(t, listClaims{}), "not a signed JWT"},
		{"claims are null", shared, signHS256(t, nullClaims{}), "exp claim is required"},
		{"empty", shared, "", "not a signed JWT"},
		{"dots", shared, "..", "not a signed JWT"},
		{"encrypted", shared, "a.b.c.d.e", "not a signed JWT"},
		{"garbage", shared, "\x00\xff not a token", "not a signed JWT"},
		{"a long number in the header", shared, asText(`{"alg":`+strings.Repeat("9", 1000)+`}`) + "." + payload + ".", "not a signed JWT"},
		{"oversize", shared, signHS256(t, good(map[string]any{"x": strings.Repeat("x", identity.MaxTokenSize)})), "longer than 8 KiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := tt.verifier.Verify(t.Context(), tt.token)
			assertRefused(t, err, tt.token, tt.why)
			if !reflect.DeepEqual(id, identity.Identity{}) {
				t.Errorf("identity = %v with an error", id)
			}
		})
	}

	t.Run("while the honest ones pass", func(t *testing.T) {
		for _, token := range []string{
			valid,
			es.sign(t, good(nil)),
			signed(t, jwt.SigningMethodRS256, nil, good(nil), rsaKey()), // no key id: tried against all
			signed(t, jwt.SigningMethodES256, map[string]any{"kid": ""}, good(nil), p256Key()),
		} {
			if _, err := remote.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("and a key whose private half was published verifies", func(t *testing.T) {
		server := &keyServer{}
		private := base64.RawURLEncoding.EncodeToString(must(p256Key().Bytes()))
		server.publishMembers(es.published(t, map[string]any{"d": private}))
		if _, err := newVerifier(t, remoteConfig(server)).Verify(t.Context(), es.sign(t, good(nil))); err != nil {
			t.Error(err)
		}
	})
	t.Run("the curve belongs to the algorithm", func(t *testing.T) {
		server := &keyServer{}
		server.publishMembers(
			key{"es", nil, p384Key()}.published(t, map[string]any{"alg": "ES256"}),
			key{"another", nil, p384Key()}.published(t, map[string]any{"alg": "ES384"}),
		)
		token := es.sign(t, good(nil))
		_, err := newVerifier(t, remoteConfig(server)).Verify(t.Context(), token)
		assertRefused(t, err, token, "no such key")
	})
}

// withOtherUnusedBits returns another text of the same token: 32 bytes leave two
// bits of the last character unused.
func withOtherUnusedBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + string(alphabet[strings.IndexByte(alphabet, token[last])|1])
}

type listClaims struct{ jwt.MapClaims }

func (listClaims) MarshalJSON() ([]byte, error) { return []byte(`["sub"]`), nil }

type nullClaims struct{ jwt.MapClaims }

func (nullClaims) MarshalJSON() ([]byte, error) { return []byte(`null`), nil }

func TestNewRefusesABadConfiguration(t *testing.T) {
	tests := []struct {
		name string
		cfg  identity.Config
		why  string
	}{
		{"nothing", identity.Config{}, "neither"},
		{"a secret and a URL", identity.Config{Secret: []byte(secret), JWKSURL: keySetURL}, "more than one"},
		{"a URL and discovery", identity.Config{JWKSURL: keySetURL, Discover: true, Issuer: "https://issuer.example/"}, "more than one"},
		{"discovery of nobody", identity.Config{Discover: true}, "could be discovered"},
		{"discovery without a scheme", identity.Config{Discover: true, Issuer: "issuer.example"}, "could be discovered"},
		{"no algorithm", identity.Config{JWKSURL: keySetURL, Algorithms: []string{"none"}}, `"none" is not one of RS256`},
		{"a secret for published keys", identity.Config{JWKSURL: keySetURL, Algorithms: []string{"HS256"}}, `"HS256" is not one of`},
		{"a published key for a secret", identity.Config{Secret: []byte(secret), Algorithms: []string{"RS256"}}, `"RS256" is not one of HS256`},
		{"prefix", identity.Config{Secret: []byte(secret), SubjectIDs: identity.SubjectIDs{Prefix: "a@"}}, "prefix"},
		{"short secret", identity.Config{Secret: []byte(secret[:31])}, "31 bytes"},
		{"relative URL", identity.Config{JWKSURL: "/keys?token=s3cret"}, "absolute"},
		{"file URL", identity.Config{JWKSURL: "file:///s3cret"}, "absolute"},
		{"no URL", identity.Config{JWKSURL: "https://user:s3cret@host:port/%zz"}, "absolute"},
		{"subject type", identity.Config{Secret: []byte(secret), SubjectType: "User"}, "subject type"},
		{"negative interval", identity.Config{JWKSURL: keySetURL, JWKSRefresh: -1}, "negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := identity.New(t.Context(), tt.cfg)
			if authz.KindOf(err) != authz.Invalid {
				t.Fatalf("error = %v, want an Invalid one", err)
			}
			if !strings.Contains(err.Error(), tt.why) {
				t.Errorf("error %q does not say %q", err, tt.why)
			}
			for _, confidential := range []string{"s3cret", secret[:31]} {
				if strings.Contains(err.Error(), confidential) {
					t.Errorf("error %q contains %q", err, confidential)
				}
			}
		})
	}
}

func TestVerifierKeepsItsOwnSecret(t *testing.T) {
	cfg := secretConfig()
	v := newVerifier(t, cfg)
	clear(cfg.Secret)
	if _, err := v.Verify(t.Context(), signHS256(t, good(nil))); err != nil {
		t.Error(err)
	}
	forged := signed(t, jwt.SigningMethodHS256, nil, good(nil), cfg.Secret)
	_, err := v.Verify(t.Context(), forged)
	assertRefused(t, err, forged, "signature")
}

// What was verified once is not taken for good for ever.
func TestATokenThatHeldExpires(t *testing.T) {
	at := now
	cfg := secretConfig()
	cfg.Now = func() time.Time { return at }
	v := newVerifier(t, cfg)
	token := signHS256(t, good(nil))
	for range 2 {
		who, err := v.Verify(t.Context(), token)
		if err != nil || !who.Holds() {
			t.Fatal(err, who)
		}
		defer func() {
			if who.Holds() {
				t.Error("it still holds")
			}
		}()
	}
	at = now.Add(2 * time.Hour)
	_, err := v.Verify(t.Context(), token)
	assertRefused(t, err, token, "expired")
	var none *identity.Identity
	if none.Holds() || new(identity.Identity).Holds() {
		t.Error("what nobody has verified holds")
	}
}

func BenchmarkVerify(b *testing.B) {
	v := newVerifier(b, secretConfig())
	token := signHS256(b, good(nil))
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
