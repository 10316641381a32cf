// Package oidctest is an issuer of tokens for tests: it has a discovery document, a key set
// that is rotated, and tokens as the products of authz/identity/README.md make them. It
// has no users and no logins.
//
// An Issuer answers at the URLs of a real one. Client reaches it there without a network.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// Issuer is an issuer of tokens. It is an http.Handler, which looks at the host and the path
// of a request. It is safe for concurrent use.
type Issuer struct {
	product Product

	mu       sync.Mutex
	keys     []key // that are published; the last one signs
	made     int
	isAway   bool
	named    string // what the discovery document names in place of the issuer
	requests int
}

type key struct {
	id      string
	private crypto.Signer
}

// New returns an issuer of a product's style, with one key.
func New(tb testing.TB, p Product) *Issuer {
	tb.Helper()
	i := &Issuer{product: p}
	i.Rotate(tb)
	return i
}

// Rotate adds a key, which signs from now on. The others remain published, see Retire.
func (i *Issuer) Rotate(tb testing.TB) {
	tb.Helper()
	private, err := newKey(i.product.Algorithm)
	if err != nil {
		tb.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	i.keys = append(i.keys, key{fmt.Sprintf("key-%d", i.made), private})
}

// Retire publishes no key any more but the one that signs.
func (i *Issuer) Retire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = i.keys[len(i.keys)-1:]
}

// GoAway has each request answered 502, or again as it should be.
func (i *Issuer) GoAway(away bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.isAway = away
}

// Misname has the discovery document name another issuer.
func (i *Issuer) Misname(issuer string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.named = issuer
}

// Requests returns how many requests were answered.
func (i *Issuer) Requests() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests
}

// Token returns a token that holds for an hour, with the claims of the product's tokens and
// changes to them. A nil takes a claim away.
func (i *Issuer) Token(tb testing.TB, changes map[string]any) string {
	tb.Helper()
	now := time.Now()
	claims := jwt.MapClaims{"iss": i.product.Issuer, "iat": now.Add(-time.Second).Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(claims, i.product.Claims)
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	i.mu.Lock()
	with := i.keys[len(i.keys)-1]
	i.mu.Unlock()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(i.product.Algorithm), claims)
	token.Header["kid"] = with.id
	text, err := token.SignedString(with.private)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// ServeHTTP implements http.Handler.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests++
	at := "https://" + r.Host + r.URL.Path
	if r.TLS == nil && strings.HasPrefix(i.product.Keys, "http:") {
		at = "http://" + r.Host + r.URL.Path
	}
	switch {
	case i.isAway:
		http.Error(w, "away", http.StatusBadGateway)
	case i.product.Discovers && at == strings.TrimSuffix(i.product.Issuer, "/")+"/.well-known/openid-configuration":
		name := i.product.Issuer
		if i.named != "" {
			name = i.named
		}
		writeJSON(w, map[string]any{"issuer": name, "jwks_uri": i.product.Keys, "response_types_supported": []string{"code"}})
	case at == i.product.Keys:
		i.writeKeys(w)
	default:
		http.NotFound(w, r)
	}
}

func (i *Issuer) writeKeys(w http.ResponseWriter) {
	var published []jwkset.JWKMarshal
	for _, k := range i.keys {
		jwk, err := jwkset.NewJWKFromKey(k.private.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{
			KID: k.id, ALG: jwkset.ALG(i.product.Algorithm), USE: jwkset.UseSig,
		}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		published = append(published, jwk.Marshal())
	}
	writeJSON(w, map[string]any{"keys": published})
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func newKey(algorithm string) (crypto.Signer, error) {
	if algorithm == "ES256" {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

// Serve returns an issuer of a product's style that answers at a port of this machine until
// the end of the test, and the URL of the issuer there.
func Serve(tb testing.TB, p Product) (*Issuer, string) {
	tb.Helper()
	i := &Issuer{}
	server := httptest.NewServer(i)
	tb.Cleanup(server.Close)
	local := func(s string) string {
		_, rest, _ := strings.Cut(s, "://")
		_, path, _ := strings.Cut(rest, "/")
		return server.URL + "/" + path
	}
	p.Issuer, p.Keys = local(p.Issuer), local(p.Keys)
	i.product = p
	i.Rotate(tb)
	return i, p.Issuer
}

// Client returns a client whose requests are answered by those of the issuers at whose host
// they are, and nowhere else.
func Client(issuers ...*Issuer) *http.Client { return &http.Client{Transport: inMemory(issuers)} }

type inMemory []*Issuer

// RoundTrip implements http.RoundTripper.
func (all inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, i := range all {
		if strings.HasPrefix(i.product.Keys, "https://"+r.URL.Host+"/") {
			if err := r.Context().Err(); err != nil {
				return nil, err
			}
			r = r.Clone(r.Context())
			r.Host = r.URL.Host
			w := httptest.NewRecorder()
			i.ServeHTTP(w, r)
			return w.Result(), nil
		}
	}
	return nil, fmt.Errorf("no issuer of the test is at %s", r.URL.Host)
}
