package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// MaxTokenSize is the longest token that is looked at, in bytes. Servers and
// proxies commonly allow 8 KiB for a header, so a longer one does not get here
// from an honest client.
const MaxTokenSize = 8 << 10

// Identity is what a verified token says.
type Identity struct {
	// Subject is who sends the request. Its Claims are all of the token's claims, numbers as
	// float64. They are shared and must not be changed.
	Subject authz.Subject

	// Expires is the token's "exp". It is always set, and was in the future when
	// the token was verified.
	Expires time.Time

	by   *issuer
	keys uint64 // the number of the issuer's keys that verified the token
}

// Holds reports whether the token that was verified still holds: it has not expired, and the
// issuer's keys have not changed since. If it returns false, call Verify again, which succeeds
// or says why not. Nil and the zero value do not hold.
//
// Verify remembers tokens too, but has to hash a token to find it. Holds is cheaper.
func (i *Identity) Holds() bool {
	return i != nil && i.by != nil && i.keys == i.by.keys.number() && i.by.now().Before(i.Expires)
}

// Verifier checks tokens of one issuer, or of several. It is safe for concurrent use.
type Verifier struct {
	issuers  issuers
	now      func() time.Time
	verified verified
}

var errNoIssuers = errors.New("no issuer of tokens is given")

// New returns a Verifier for the tokens of the issuers that are given. Of several, each
// names its Issuer, and a token's "iss" picks one of them: its keys, and no others, verify
// the token.
//
// For each Config with JWKSURL or Discover it starts a goroutine that fetches
// the key set now and then again at intervals, and ends with ctx; the verifier
// goes on with the keys it has. New does not wait for the key server. Errors are
// Invalid and name what is wrong with the configuration. The clock is that of the first
// Config.
func New(ctx context.Context, cfgs ...Config) (*Verifier, error) {
	whole, err := complete(cfgs)
	if err != nil {
		return nil, err
	}
	v := &Verifier{now: whole[0].Now, verified: newVerified()}
	for _, cfg := range whole {
		v.issuers = append(v.issuers, newIssuer(ctx, cfg))
	}
	return v, nil
}

// Validate returns the error that New would return.
func Validate(cfgs ...Config) error {
	_, err := complete(cfgs)
	return err
}

// complete returns configurations with nothing left out, that fit each other.
func complete(cfgs []Config) ([]Config, error) {
	if len(cfgs) == 0 {
		return nil, authz.E(authz.Invalid, opConfigure, errNoIssuers)
	}
	whole := make([]Config, len(cfgs))
	for i, cfg := range cfgs {
		var err error
		if whole[i], err = cfg.withDefaults(); err != nil {
			return nil, err
		}
	}
	if err := checkApart(whole); err != nil {
		return nil, authz.E(authz.Invalid, opConfigure, err)
	}
	return whole, nil
}

// Verify returns who the token speaks of.
//
// Errors are Unauthenticated where the token does not hold, with a cause that
// says why, and Unavailable where that is not known because the key server did
// not answer. Neither contains any part of the token.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	if len(token) > MaxTokenSize {
		return Identity{}, refuse(errTooLong)
	}
	key := sha256.Sum256([]byte(token))
	if who, ok := v.verified.get(key); ok {
		return who, nil
	}
	by, err := v.issuers.of(token)
	if err != nil {
		return Identity{}, refuse(err)
	}
	keys := by.keys.number()
	who, err := by.verify(ctx, token)
	if err == nil {
		who.by, who.keys = by, keys
		v.verified.put(key, who)
	}
	return who, err
}
