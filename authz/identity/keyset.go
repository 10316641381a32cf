package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// asymmetricAlgorithms are those that a published key can verify. HMAC is not
// among them, and must never be: a public key would serve as its secret.
var asymmetricAlgorithms = []string{
	"RS256", "RS384", "RS512",
	"PS256", "PS384", "PS512",
	"ES256", "ES384", "ES512",
	"EdDSA",
}

// minRSABits is the least size of an RSA key (RFC 7518, sections 3.3 and 3.5).
const minRSABits = 2048

// keySet is an issuer's published key set, as far as it can verify signatures.
type keySet []verificationKey

type verificationKey struct {
	id         string   // "kid"; may be empty
	algorithms []string // what the key may verify
	public     crypto.PublicKey
}

var (
	errNoKeysMember = errors.New(`the answer is JSON without "keys"`)
	errNoUsableKey  = errors.New("the key set has no key that can verify a signature")
)

// parseKeySet reads a JWK Set (RFC 7517, section 5). Keys of unknown types, for
// other uses, too weak or malformed are left out, one by one: an issuer may add
// what it likes without locking its users out. A set of which nothing is left is
// an error, since it would lock everybody out.
func parseKeySet(document []byte) (keySet, error) {
	var raw struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &raw); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	if raw.Keys == nil {
		return nil, errNoKeysMember
	}
	set := keySet{}
	for _, one := range *raw.Keys {
		if key, ok := parseKey(one); ok {
			set = append(set, key)
		}
	}
	if len(set) == 0 {
		return nil, errNoUsableKey
	}
	return set, nil
}

func parseKey(raw json.RawMessage) (verificationKey, bool) {
	// Private stays off: symmetric keys are refused, and private parts that an
	// issuer published by mistake are not even read.
	jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{Private: false}, jwkset.JWKValidateOptions{})
	if err != nil {
		return verificationKey{}, false
	}
	meta := jwk.Marshal()
	if meta.USE != "" && meta.USE != jwkset.UseSig {
		return verificationKey{}, false
	}
	if len(meta.KEYOPS) > 0 && !slices.Contains(meta.KEYOPS, jwkset.KeyOpsVerify) {
		return verificationKey{}, false
	}
	algorithms := algorithmsOf(jwk.Key())
	if own := meta.ALG.String(); own != "" {
		algorithms = slices.DeleteFunc(algorithms, func(a string) bool { return a != own })
	}
	if len(algorithms) == 0 {
		return verificationKey{}, false
	}
	return verificationKey{id: meta.KID, algorithms: algorithms, public: jwk.Key()}, true
}

// algorithmsOf lists what a key can verify by its type, size and curve (RFC 7518,
// section 3.1 and RFC 8037). The caller owns the slice.
func algorithmsOf(key crypto.PublicKey) []string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSABits {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}

// match returns the keys that may verify a token with this key id and algorithm.
// A token without a key id is tried against every key of its algorithm. Errors
// are errUnknownKeyID, which newer keys may cure, and errKeyNotForThis.
func (s keySet) match(id, algorithm string) (jwt.VerificationKeySet, error) {
	var found jwt.VerificationKeySet
	err := errUnknownKeyID
	for _, key := range s {
		if id != "" && key.id != id {
			continue
		}
		if !slices.Contains(key.algorithms, algorithm) {
			if id != "" {
				err = errKeyNotForThis
			}
			continue
		}
		found.Keys = append(found.Keys, key.public)
	}
	if len(found.Keys) == 0 {
		return jwt.VerificationKeySet{}, err
	}
	return found, nil
}
