package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
)

// issuer verifies tokens of one issuer.
type issuer struct {
	name       string // what "iss" must be; empty: anything
	algorithms []string
	keys       keySource
	parser     *jwt.Parser
	subject    subjectRule
	now        func() time.Time
}

// keySource finds what a token's signature is verified with: one key, or a
// jwt.VerificationKeySet. Its errors are reasons, or an Unavailable error.
type keySource interface {
	find(ctx context.Context, token *jwt.Token) (any, error)

	// number is another one whenever the keys may be others.
	number() uint64
}

func newIssuer(ctx context.Context, cfg Config) *issuer {
	i := &issuer{name: cfg.Issuer, algorithms: cfg.Algorithms, subject: cfg.subjectRule(), now: cfg.Now}
	if len(cfg.Secret) > 0 {
		i.keys = sharedSecret(cfg.Secret)
	} else {
		i.keys = startRemoteKeys(ctx, cfg)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(i.algorithms),
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
	i.parser = jwt.NewParser(options...)
	return i
}

// verify is Verifier.Verify for a token of this issuer that is not known yet.
func (i *issuer) verify(ctx context.Context, token string) (Identity, error) {
	var c claims
	parsed, err := i.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		// RFC 7515, section 4.1.11: a recipient that does not understand a critical
		// header must refuse the token. The parser leaves that to us.
		if _, ok := t.Header["crit"]; ok {
			return nil, errCriticalHeader
		}
		return i.keys.find(ctx, t)
	})
	if err != nil {
		return Identity{}, i.refusal(parsed, err)
	}
	return i.identity(c)
}

func (i *issuer) identity(c claims) (Identity, error) {
	exp, err := c.GetExpirationTime()
	if err != nil {
		return Identity{}, refuse(err)
	}
	// The parser's leeway is for all three dates. A session or a stream ends at
	// Expires, so one that is already past would be of no use to anybody.
	if exp == nil || !i.now().Before(exp.Time) {
		return Identity{}, refuse(errExpired)
	}
	ref, err := i.subject.read(c.all)
	if err != nil {
		return Identity{}, refuse(fmt.Errorf("claim %q: %w", i.subject.claim, err))
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
