package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// key is a key pair of an issuer, with the algorithm that it signs with.
type key struct {
	id      string
	method  jwt.SigningMethod
	private crypto.Signer
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

var (
	rsaKey     = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256Key    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	ed25519Key = sync.OnceValue(func() ed25519.PrivateKey {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return must(private, err)
	})
)

// sign returns a token with the key's id in its header.
func (k key) sign(tb testing.TB, claims jwt.MapClaims) string {
	tb.Helper()
	return signed(tb, k.method, map[string]any{"kid": k.id}, claims, k.private)
}

func signed(tb testing.TB, method jwt.SigningMethod, header map[string]any, claims jwt.Claims, with any) string {
	tb.Helper()
	token := jwt.NewWithClaims(method, claims)
	for name, value := range header {
		token.Header[name] = value
	}
	s, err := token.SignedString(with)
	if err != nil {
		tb.Fatalf("sign: %v", err)
	}
	return s
}

// published returns the public half as a member of a key set. Further members
// can be given, or taken away with nil.
func (k key) published(tb testing.TB, members map[string]any) map[string]any {
	tb.Helper()
	jwk, err := jwkset.NewJWKFromKey(k.private.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: k.id}})
	if err != nil {
		tb.Fatalf("publish: %v", err)
	}
	var published map[string]any
	if err := json.Unmarshal(must(json.Marshal(jwk.Marshal())), &published); err != nil {
		tb.Fatalf("publish: %v", err)
	}
	delete(published, "alg")
	for name, value := range members {
		if value == nil {
			delete(published, name)
		} else {
			published[name] = value
		}
	}
	return published
}

// keyServer publishes a key set. The zero value publishes nothing and is away.
type keyServer struct {
	document atomic.Pointer[[]byte]
	fetches  atomic.Int64
}

func newKeyServer(tb testing.TB, keys ...key) *keyServer {
	tb.Helper()
	s := &keyServer{}
	s.publish(tb, keys...)
	return s
}

func (s *keyServer) publish(tb testing.TB, keys ...key) {
	tb.Helper()
	members := make([]map[string]any, len(keys))
	for i, k := range keys {
		members[i] = k.published(tb, map[string]any{"use": "sig", "alg": k.method.Alg()})
	}
	s.publishMembers(members...)
}

func (s *keyServer) publishMembers(members ...map[string]any) {
	s.publishDocument(must(json.Marshal(map[string]any{"keys": members})))
}

func (s *keyServer) publishDocument(document []byte) { s.document.Store(&document) }

// goAway makes the server answer with an error from now on.
func (s *keyServer) goAway() { s.document.Store(nil) }

func (s *keyServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.fetches.Add(1)
	document := s.document.Load()
	if document == nil {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	_, _ = w.Write(*document)
}

// client reaches the server without a network, which lets the time in a
// synctest bubble pass.
func (s *keyServer) client() *http.Client { return &http.Client{Transport: inMemory{s}} }

type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}
