package shapetoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/shapetoken"
)

// now is when these tests run.
var now = time.Date(2026, time.March, 1, 12, 0, 0, 500_000_000, time.UTC)

func clock() time.Time { return now }

// newKey makes a private key of a kind: "Ed25519" or "P-256".
func newKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var made crypto.Signer
	var err error
	if kind == "P-256" {
		made, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		_, made, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// inPEM writes private keys, one behind the other.
func inPEM(t testing.TB, keys ...crypto.Signer) []byte {
	t.Helper()
	var text []byte
	for _, k := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	return text
}

func keySet(t testing.TB, keys ...crypto.Signer) *shapetoken.KeySet {
	t.Helper()
	s, err := shapetoken.ParseKeys(inPEM(t, keys...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func authority(keys shapetoken.Source) *shapetoken.Authority {
	return shapetoken.New(shapetoken.Config{Keys: keys, Life: 5 * time.Minute, Now: clock})
}

// example is a token that has everything that one can have.
func example() shapetoken.Token {
	return shapetoken.Token{
		Subject: authz.Subject{
			ObjectRef: authz.ObjectRef{Type: "tenant/user", ID: "auth0|alice"},
			Claims:    map[string]any{"clearance": 2.0, "address": map[string]any{"country": "CH"}},
		},
		Shape: shapetoken.Shape{
			Name: "project_tasks", Params: map[string]string{"project": "p1"}, Columns: []string{"id", "title"},
			Where: `"title" = $1`, WhereParams: []string{"one"},
		},
		Fresh:   "Gh8KEzE3",
		Session: "a session",
		Expires: now.Add(time.Hour),
	}
}

func sign(t testing.TB, a *shapetoken.Authority, token shapetoken.Token) string {
	t.Helper()
	text, err := a.Sign(token)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestATokenSaysWhatItWasSignedWith(t *testing.T) {
	for _, kind := range []string{"Ed25519", "P-256"} {
		a := authority(keySet(t, newKey(t, kind)))
		text := sign(t, a, example())
		want := example()
		want.Expires = now.Add(5 * time.Minute).Truncate(time.Second)
		for range 2 { // the second time it is remembered
			got, err := a.Verify(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
				t.Errorf("%s (-want +got)\n%s", kind, diff)
			}
		}
		if !shapetoken.LooksLikeToken(text) {
			t.Errorf("%s: it does not look like one of these tokens", kind)
		}
	}
}

func TestATokenIsAJWTWithTheClaimsThatAnEdgeNeeds(t *testing.T) {
	keys := keySet(t, newKey(t, "Ed25519"))
	parts := strings.Split(sign(t, authority(keys), example()), ".")
	var got [2]map[string]any
	for i := range got {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, &got[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := [2]map[string]any{
		{"alg": "EdDSA", "typ": "shapegate-shape+jwt", "kid": keys.IDs()[0]},
		{
			"iss": "shapegate", "aud": []any{"shapegate"}, "sub": "tenant/user:auth0|alice",
			"iat": float64(now.Unix()), "exp": float64(now.Add(5 * time.Minute).Unix()),
			"shape": map[string]any{
				"name": "project_tasks", "params": map[string]any{"project": "p1"}, "columns": []any{"id", "title"},
				"where": `"title" = $1`, "where_params": []any{"one"},
			},
			"claims":            map[string]any{"clearance": 2.0, "address": map[string]any{"country": "CH"}},
			"at_least_as_fresh": "Gh8KEzE3", "sid": "a session",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestATokenEndsWithWhatItWasGotWith(t *testing.T) {
	a := authority(keySet(t, newKey(t, "Ed25519")))
	short := example()
	short.Expires = now.Add(1900 * time.Millisecond)
	got, err := a.Verify(sign(t, a, short))
	if err != nil || got.Expires.After(short.Expires) {
		t.Errorf("it ends at %v, after %v: %v", got.Expires, short.Expires, err)
	}
	// A token has whole seconds, and none is left.
	short.Expires = now.Add(400 * time.Millisecond)
	if _, err := a.Sign(short); authz.KindOf(err) != authz.Unauthenticated {
		t.Errorf("a token that has ended already: %v", err)
	}
}

func TestATokenIsNotLongerThanAHeader(t *testing.T) {
	a := authority(keySet(t, newKey(t, "Ed25519")))
	long := example()
	long.Shape.Where = strings.Repeat("x", shapetoken.MaxSize)
	if _, err := a.Sign(long); authz.KindOf(err) != authz.Invalid {
		t.Errorf("a token that is too long: %v", err)
	}
}

// forged signs claims with a method and a key, as an attacker might.
func forged(t *testing.T, method jwt.SigningMethod, key any, change func(header, claims map[string]any)) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": "shapegate", "aud": "shapegate", "sub": "user:alice", "exp": now.Add(time.Minute).Unix(),
		"shape": map[string]any{"name": "documents"},
	})
	token.Header["typ"] = shapetoken.Type
	change(token.Header, token.Claims.(jwt.MapClaims))
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// otherSpelling is a token with the same bytes: the last character has bits that say nothing.
func otherSpelling(t *testing.T, token string) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	other := token[:last] + string(alphabet[strings.IndexByte(alphabet, token[last])+1])
	_, signature, _ := strings.Cut(other[strings.IndexByte(other, '.')+1:], ".")
	if got, err := base64.RawURLEncoding.DecodeString(signature); err != nil || !strings.HasSuffix(token, base64.RawURLEncoding.EncodeToString(got)) {
		t.Fatalf("not the same bytes: %v", err)
	}
	return other
}

func TestATokenThatIsNotAsTheGatekeeperMakesThemIsRefused(t *testing.T) {
	ours, theirs, p256 := newKey(t, "Ed25519"), newKey(t, "Ed25519"), newKey(t, "P-256")
	keys := keySet(t, ours, p256)
	a := authority(keys)
	good := func(header, _ map[string]any) { header["kid"] = keys.IDs()[0] }
	with := func(change func(header, claims map[string]any)) func(header, claims map[string]any) {
		return func(header, claims map[string]any) {
			good(header, claims)
			change(header, claims)
		}
	}
	claim := func(name string, value any) func(header, claims map[string]any) {
		return with(func(_, claims map[string]any) { claims[name] = value })
	}
	without := func(name string) func(header, claims map[string]any) {
		return with(func(header, claims map[string]any) { delete(claims, name); delete(header, name) })
	}
	if _, err := a.Verify(forged(t, jwt.SigningMethodEdDSA, ours, good)); err != nil {
		t.Fatalf("the token that the others differ from: %v", err)
	}
	public := ours.Public().(ed25519.PublicKey)
	for name, text := range map[string]string{
		"signed by another key":               forged(t, jwt.SigningMethodEdDSA, theirs, good),
		"HS256 with the public key":           forged(t, jwt.SigningMethodHS256, []byte(public), good),
		"HS256 with the published key set":    forged(t, jwt.SigningMethodHS256, keys.Public(), good),
		"alg none":                            forged(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good),
		"ES256 with the id of an Ed25519 key": forged(t, jwt.SigningMethodES256, p256, good),
		"a key that there is not":             forged(t, jwt.SigningMethodEdDSA, ours, with(func(h, _ map[string]any) { h["kid"] = "x" })),
		"no key id":                           forged(t, jwt.SigningMethodEdDSA, ours, without("kid")),
		"a key id that is a number":           forged(t, jwt.SigningMethodEdDSA, ours, with(func(h, _ map[string]any) { h["kid"] = 1 })),
		"a JWT of another purpose":            forged(t, jwt.SigningMethodEdDSA, ours, with(func(h, _ map[string]any) { h["typ"] = "JWT" })),
		"a critical header":                   forged(t, jwt.SigningMethodEdDSA, ours, with(func(h, _ map[string]any) { h["crit"] = []string{"exp"} })),
		"another issuer":                      forged(t, jwt.SigningMethodEdDSA, ours, claim("iss", "https://other.example")),
		"another audience":                    forged(t, jwt.SigningMethodEdDSA, ours, claim("aud", "other")),
		"no audience":                         forged(t, jwt.SigningMethodEdDSA, ours, without("aud")),
		"no end":                              forged(t, jwt.SigningMethodEdDSA, ours, without("exp")),
		"expired in this second":              forged(t, jwt.SigningMethodEdDSA, ours, claim("exp", now.Unix())),
		"an end that is text":                 forged(t, jwt.SigningMethodEdDSA, ours, claim("exp", "soon")),
		"no subject":                          forged(t, jwt.SigningMethodEdDSA, ours, without("sub")),
		"a subject without a type":            forged(t, jwt.SigningMethodEdDSA, ours, claim("sub", "alice")),
		"everybody as the subject":            forged(t, jwt.SigningMethodEdDSA, ours, claim("sub", "user:*")),
		"no shape":                            forged(t, jwt.SigningMethodEdDSA, ours, without("shape")),
		"a shape without a name":              forged(t, jwt.SigningMethodEdDSA, ours, claim("shape", map[string]any{})),
		"a shape that is text":                forged(t, jwt.SigningMethodEdDSA, ours, claim("shape", "documents")),
		"the same bytes in another spelling":  otherSpelling(t, forged(t, jwt.SigningMethodEdDSA, ours, good)),
		"nothing":                             "",
		"longer than a header":                strings.Repeat("x", shapetoken.MaxSize+1),
	} {
		for range 2 { // what was refused is not remembered
			if got, err := a.Verify(text); authz.KindOf(err) != authz.Unauthenticated {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
	}
}

func TestARememberedTokenExpires(t *testing.T) {
	at := now
	a := shapetoken.New(shapetoken.Config{Keys: keySet(t, newKey(t, "Ed25519")), Life: time.Minute, Now: func() time.Time { return at }})
	text := sign(t, a, example())
	if _, err := a.Verify(text); err != nil {
		t.Fatal(err)
	}
	at = now.Add(time.Minute)
	if _, err := a.Verify(text); authz.KindOf(err) != authz.Unauthenticated {
		t.Errorf("an expired token: %v", err)
	}
}

func TestTokensOfOthersDoNotLookLikeOurs(t *testing.T) {
	issuers := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "alice"})
	text, err := issuers.SignedString([]byte("a secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", ".", "sgs_abc", "a.b.c", text, strings.Repeat("x", 1<<20) + "."} {
		if shapetoken.LooksLikeToken(text) {
			t.Errorf("%.60q looks like ours", text)
		}
	}
}

// Whatever bytes are sent, no other token holds than those that were signed.
func FuzzVerify(f *testing.F) {
	a := authority(keySet(f, newKey(f, "Ed25519")))
	signed := map[string]bool{}
	for _, name := range []string{"documents", "tasks"} {
		token := example()
		token.Shape.Name = name
		text := sign(f, a, token)
		signed[text] = true
		f.Add(text)
		head, rest, _ := strings.Cut(text, ".")
		body, signature, _ := strings.Cut(rest, ".")
		f.Add(head + "." + body + ".")
		f.Add(head + "=." + body + "." + signature)
		f.Add(body + "." + head + "." + signature)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := a.Verify(text)
		if signed[text] != (err == nil) {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && !shapetoken.LooksLikeToken(text) {
			t.Errorf("%q holds, and does not look like a token", text)
		}
	})
}
