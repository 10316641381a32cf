package identity_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
)

// FuzzVerify gives verifiers any header and any claims, signed with the secret
// or followed by any signature. No input panics; without the
// signature there is no identity; with it, the identity is one that can be used.
func FuzzVerify(f *testing.F) {
	const hs256 = `{"alg":"HS256","typ":"JWT"}`
	for _, header := range []string{
		hs256, `{"alg":"none"}`, `{"alg":"RS256","kid":"k"}`, `{"alg":"RS256","kid":7}`, `{"alg":"HS256","crit":["b64"]}`,
		`{"alg":"ES256"}`, `{"alg":"EdDSA"}`, `{}`, `null`, `[]`, "",
	} {
		f.Add(header, `{"sub":"alice","exp":1900000000}`, []byte("signature"), false)
		f.Add(header, `{"sub":"alice","exp":1900000000}`, []byte(nil), true)
	}
	for _, claims := range []string{
		`{"sub":42,"exp":1900000000.5}`, `{"sub":1e400,"exp":1900000000}`, `{"sub":"*","exp":1900000000}`,
		`{"sub":"a","exp":1e400}`, `{"sub":"a","exp":-1}`, `{"exp":null}`, `null`, `[]`, `{"a":{"b":[1,{"c":2}]},"sub":"x","exp":1900000000}`,
		`{"sub":"a","sub":"b","exp":1900000000}`, `{"sub":"a","exp":1900000000,"nbf":0,"iat":0}`, "",
	} {
		f.Add(hs256, claims, []byte(nil), true)
	}

	shared := newVerifier(f, identity.Config{Secret: []byte(secret), Now: fixedNow})
	keys := newKeyServer(f, key{"k", jwt.SigningMethodRS256, rsaKey()}, key{"e", jwt.SigningMethodES256, p256Key()}, key{"d", jwt.SigningMethodEdDSA, ed25519Key()})
	remote := newVerifier(f, identity.Config{JWKSURL: keySetURL, HTTPClient: keys.client(), Now: fixedNow})

	f.Fuzz(func(t *testing.T, header, claims string, signature []byte, sign bool) {
		encode := base64.RawURLEncoding.EncodeToString
		token := encode([]byte(header)) + "." + encode([]byte(claims))
		right := hmac.New(sha256.New, []byte(secret))
		right.Write([]byte(token))
		if sign {
			signature = right.Sum(nil)
		}
		isSigned := hmac.Equal(signature, right.Sum(nil))
		token += "." + encode(signature)

		if _, err := remote.Verify(t.Context(), token); err == nil {
			t.Fatalf("accepted without a private key: %s", token)
		} else if authz.KindOf(err) != authz.Unauthenticated {
			t.Fatalf("kind of %v", err)
		}
		id, err := shared.Verify(t.Context(), token)
		if err != nil {
			if authz.KindOf(err) != authz.Unauthenticated {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		if !isSigned {
			t.Fatalf("accepted without a signature: %s", token)
		}
		var h struct {
			Alg string `json:"alg"`
		}
		if err := json.Unmarshal([]byte(header), &h); err == nil && !strings.EqualFold(h.Alg, "HS256") {
			t.Fatalf("accepted with algorithm %q", h.Alg)
		}
		if _, err := authz.NewObjectRef(id.Subject.Type, id.Subject.ID); err != nil {
			t.Fatalf("subject: %v", err)
		}
		if !id.Expires.After(now) {
			t.Fatalf("expired at %v", id.Expires)
		}
		if _, err := json.Marshal(id.Subject.Claims); err != nil {
			t.Fatalf("claims: %v", err)
		}
		// What does not look like a token must do no harm either.
		_, _ = shared.Verify(t.Context(), header)
		_, _ = shared.Verify(t.Context(), claims)
	})
}
