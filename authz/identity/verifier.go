package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

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
}

// Verifier checks tokens. It is safe for concurrent use.
type Verifier struct {
	algorithms []string
	keys       keySource
	parser     *jwt.Parser
	subject    subjectRule
	now        func() time.Time
	verified   verified
}

// keySource finds what a token's signature is verified with: one key, or a
// jwt.VerificationKeySet. Its errors are reasons, or an Unavailable error.
type keySource interface {
	find(ctx context.Context, token *jwt.Token) (any, error)

	// number is another one whenever the keys may be others.
	number() uint64
}

// New returns a Verifier. With Config.JWKSURL it starts a goroutine that fetches
// the key set now and then again at intervals, and ends with ctx; the verifier
// goes on with the keys it has. New does not wait for the key server. Errors are
// Invalid and name what is wrong with the configuration.
func New(ctx context.Context, cfg Config) (*Verifier, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		subject:  subjectRule{typ: cfg.SubjectType, claim: cfg.SubjectClaim},
		now:      cfg.Now,
		verified: newVerified(),
	}
	if cfg.JWKSURL == "" {
		v.algorithms, v.keys = []string{jwt.SigningMethodHS256.Alg()}, sharedSecret(cfg.Secret)
	} else {
		v.algorithms, v.keys = asymmetricAlgorithms, startRemoteKeys(ctx, cfg)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(v.algorithms),
		jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(cfg.Leeway),
		jwt.WithTimeFunc(cfg.Now),
	}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	if cfg.Audience != "" {
		options = append(options, jwt.WithAudience(cfg.Audience))
	}
	v.parser = jwt.NewParser(options...)
	return v, nil
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
	key, keys := sha256.Sum256([]byte(token)), v.keys.number()
	if who, ok := v.verified.get(key, keys); ok && v.now().Before(who.Expires) {
		return who, nil
	}
	who, err := v.verify(ctx, token)
	if err == nil {
		v.verified.put(key, keys, who)
	}
	return who, err
}

// verify is Verify for a token that is not known yet.
func (v *Verifier) verify(ctx context.Context, token string) (Identity, error) {
	var c claims
	parsed, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		// RFC 7515, section 4.1.11: a recipient that does not understand a critical
		// header must refuse the token. The parser leaves that to us.
		if _, ok := t.Header["crit"]; ok {
			return nil, errCriticalHeader
		}
		return v.keys.find(ctx, t)
	})
	if err != nil {
		return Identity{}, v.refusal(parsed, err)
	}
	return v.identity(c)
}

func (v *Verifier) identity(c claims) (Identity, error) {
	exp, err := c.GetExpirationTime()
	if err != nil {
		return Identity{}, refuse(err)
	}
	// The parser's leeway is for all three dates. A session or a stream ends at
	// Expires, so one that is already past would be of no use to anybody.
	if exp == nil || !v.now().Before(exp.Time) {
		return Identity{}, refuse(errExpired)
	}
	ref, err := v.subject.read(c.all)
	if err != nil {
		return Identity{}, refuse(fmt.Errorf("claim %q: %w", v.subject.claim, err))
	}
	all, err := c.withFloats()
	if err != nil {
		return Identity{}, refuse(err)
	}
	return Identity{Subject: authz.Subject{ObjectRef: ref, Claims: all}, Expires: exp.Time}, nil
}

// sharedSecret is the source of the one key there is. Key ids mean nothing to it.
type sharedSecret []byte

func (s sharedSecret) find(context.Context, *jwt.Token) (any, error) { return []byte(s), nil }

func (s sharedSecret) number() uint64 { return 0 }
