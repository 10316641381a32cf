package shapetoken

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
)

// KeySet is the private keys of an Authority. The first signs, all verify. It does not
// change.
type KeySet struct {
	keys   []key
	public []byte // a JWK Set
}

// key is one private key.
type key struct {
	id      string // its thumbprint (RFC 7638)
	method  jwt.SigningMethod
	private crypto.Signer
}

// jwk is what a thumbprint is made of: the members of a JWK (RFC 7517) that say which key it
// is, in alphabetical order.
type jwk struct {
	Curve string `json:"crv"`
	Type  string `json:"kty"`
	X     string `json:"x"`
	Y     string `json:"y,omitempty"`
}

// published is how a key stands in the JWK Set.
type published struct {
	jwk
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

var errNoKey = errors.New("there is no private key: make one with openssl genpkey -algorithm ed25519")

// ParseKeys reads private keys in PEM, as openssl genpkey writes them: Ed25519 or P-256, one
// behind the other. Errors are Invalid, and repeat no part of a key.
func ParseKeys(text []byte) (*KeySet, error) {
	s, err := parseKeys(text)
	if err != nil {
		return nil, authz.E(authz.Invalid, "read the gatekeeper's keys", err)
	}
	return s, nil
}

func parseKeys(text []byte) (*KeySet, error) {
	var keys []key
	known := make(map[string]int)
	for block, rest := pem.Decode(text); ; block, rest = pem.Decode(rest) {
		if block == nil {
			if strings.Contains(string(rest), "-----BEGIN") {
				return nil, fmt.Errorf("what follows key %d is not PEM: it may be cut off", len(keys))
			}
			break
		}
		if block.Type == "EC PARAMETERS" { // openssl ecparam writes them before the key
			continue
		}
		n := len(keys) + 1
		k, err := parseKey(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", n, err)
		}
		if first, ok := known[k.id]; ok {
			return nil, fmt.Errorf("key %d is the same as key %d", n, first)
		}
		known[k.id] = n
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errNoKey
	}
	return newKeySet(keys)
}

func newKeySet(keys []key) (*KeySet, error) {
	var document struct {
		Keys []published `json:"keys"`
	}
	for _, k := range keys {
		public, err := publicJWK(k.private.Public())
		if err != nil {
			return nil, err
		}
		document.Keys = append(document.Keys, published{public, k.id, k.method.Alg(), "sig"})
	}
	public, err := json.Marshal(document)
	return &KeySet{keys, public}, err
}

func parseKey(block *pem.Block) (key, error) {
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return key{}, errors.New("is encrypted: write it without a password, in a file that only shapegate can read")
	default:
		return key{}, fmt.Errorf("is %q, and not a private key", block.Type)
	}
	if err != nil {
		return key{}, errors.New("cannot be read as a private key")
	}
	switch private := parsed.(type) {
	case ed25519.PrivateKey:
		return newKey(private, jwt.SigningMethodEdDSA)
	case *ecdsa.PrivateKey:
		if private.Curve == elliptic.P256() {
			return newKey(private, jwt.SigningMethodES256)
		}
	}
	return key{}, errors.New("is neither Ed25519 nor P-256")
}

func newKey(private crypto.Signer, method jwt.SigningMethod) (key, error) {
	public, err := publicJWK(private.Public())
	if err != nil {
		return key{}, err
	}
	text, err := json.Marshal(public)
	if err != nil {
		return key{}, err
	}
	thumbprint := sha256.Sum256(text)
	return key{base64.RawURLEncoding.EncodeToString(thumbprint[:]), method, private}, nil
}

func publicJWK(public crypto.PublicKey) (jwk, error) {
	encode := base64.RawURLEncoding.EncodeToString
	switch public := public.(type) {
	case ed25519.PublicKey:
		return jwk{Curve: "Ed25519", Type: "OKP", X: encode(public)}, nil
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, x, y
		if err != nil {
			return jwk{}, err
		}
		half := len(point) / 2
		return jwk{Curve: "P-256", Type: "EC", X: encode(point[1 : 1+half]), Y: encode(point[1+half:])}, nil
	}
	return jwk{}, fmt.Errorf("%T is no key of the gatekeeper", public)
}

// Keys returns the set itself: it is a Source.
func (s *KeySet) Keys() *KeySet { return s }

// Public returns the public keys as a JWK Set. The caller must not change it.
func (s *KeySet) Public() []byte { return s.public }

// IDs returns the ids of the keys, that of the signing one first.
func (s *KeySet) IDs() []string {
	ids := make([]string, len(s.keys))
	for i, k := range s.keys {
		ids[i] = k.id
	}
	return ids
}

// find returns the public key that a token names, if it is one for the token's algorithm.
func (s *KeySet) find(id any, algorithm string) (crypto.PublicKey, error) {
	for _, k := range s.keys {
		if k.id != id {
			continue
		}
		if k.method.Alg() != algorithm {
			return nil, errKeyNotForThis
		}
		return k.private.Public(), nil
	}
	return nil, errUnknownKey
}
