package shapetoken

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/internal/recent"
)

// Defaults for what a Config leaves out.
const (
	DefaultIssuer = "shapegate"
	DefaultLife   = 5 * time.Minute
)

// Config says how tokens are made. Keys is needed.
type Config struct {
	Keys   Source
	Issuer string           // "iss"; DefaultIssuer if empty
	Life   time.Duration    // how long a token holds at most; DefaultLife if not positive
	Now    func() time.Time // time.Now if nil
}

// Authority signs and verifies tokens. It is safe for concurrent use.
type Authority struct {
	keys     Source
	issuer   string
	life     time.Duration
	now      func() time.Time
	parser   *jwt.Parser
	verified *recent.Map[[sha256.Size]byte, remembered]
}

// remembered is a token that held. Whether its signature holds changes with the keys alone.
type remembered struct {
	token Token
	keys  *KeySet
}

// verifiedBytes bounds what is remembered. A token that is forgotten is verified again.
const verifiedBytes = 16 << 20

// New returns an authority.
func New(cfg Config) *Authority {
	a := &Authority{keys: cfg.Keys, issuer: cfg.Issuer, life: cfg.Life, now: cfg.Now}
	if a.issuer == "" {
		a.issuer = DefaultIssuer
	}
	if a.life <= 0 {
		a.life = DefaultLife
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg(), jwt.SigningMethodES256.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(),
		jwt.WithIssuer(a.issuer),
		jwt.WithAudience(Audience),
		jwt.WithTimeFunc(a.now),
	)
	a.verified = recent.New[[sha256.Size]byte, remembered](verifiedBytes)
	return a
}

// PublicKeys returns the keys that tokens verify with, as a JWK Set.
func (a *Authority) PublicKeys() []byte { return a.keys.Keys().Public() }

// Sign returns a token, which ends at t.Expires or sooner: when the life of a token is over.
// Errors are Unauthenticated where t.Expires has come, so that no whole second is left, and
// Invalid where the token would be longer than MaxSize.
func (a *Authority) Sign(t Token) (string, error) {
	const op = "sign a shape token"
	now := a.now()
	end := now.Add(a.life)
	if t.Expires.Before(end) {
		end = t.Expires
	}
	end = end.Truncate(time.Second) // as it is written: never later than what it was given for
	if !now.Before(end) {
		return "", authz.E(authz.Unauthenticated, op, errExpired)
	}
	signing := a.keys.Keys().keys[0]
	made := jwt.NewWithClaims(signing.method, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: a.issuer, Audience: jwt.ClaimStrings{Audience}, Subject: t.Subject.String(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(end),
		},
		Shape: t.Shape, Context: t.Subject.Claims, Fresh: t.Fresh, Session: t.Session,
	})
	made.Header["typ"], made.Header["kid"] = Type, signing.id
	text, err := made.SignedString(signing.private)
	if err != nil {
		return "", authz.E(authz.Internal, op, err)
	}
	if len(text) > MaxSize {
		return "", authz.E(authz.Invalid, op, errTooLong)
	}
	return text, nil
}

// Verify returns what a token says. Whether its session still holds is the caller's to ask.
// Errors are Unauthenticated, with a cause that says why
// and has no part of the token.
func (a *Authority) Verify(text string) (Token, error) {
	if len(text) > MaxSize {
		return Token{}, refuse(errTooLong)
	}
	hash, keys := sha256.Sum256([]byte(text)), a.keys.Keys()
	if r, ok := a.verified.Get(hash); ok && r.keys == keys && a.now().Before(r.token.Expires) {
		return r.token, nil
	}
	t, err := a.verify(text, keys)
	if err != nil {
		return Token{}, refuse(err)
	}
	a.verified.Put(hash, remembered{t, keys}, len(text)+recent.Size(t.Subject.Claims))
	return t, nil
}

// verify is Verify for a token that is not known yet.
func (a *Authority) verify(text string, keys *KeySet) (Token, error) {
	var c claims
	parsed, err := a.parser.ParseWithClaims(text, &c, func(t *jwt.Token) (any, error) {
		// RFC 7515, section 4.1.11: a recipient that does not understand a critical header
		// must refuse the token. The parser leaves that to us.
		if _, ok := t.Header["crit"]; ok || t.Header["typ"] != Type {
			return nil, errOtherType
		}
		return keys.find(t.Header["kid"], t.Method.Alg())
	})
	if err != nil {
		return Token{}, reasonOf(parsed, err)
	}
	subject, err := authz.ParseObjectRef(c.Subject)
	if err != nil || c.Shape.Name == "" {
		return Token{}, errIncomplete
	}
	return Token{
		Subject: authz.Subject{ObjectRef: subject, Claims: c.Context},
		Shape:   c.Shape, Fresh: c.Fresh, Session: c.Session, Expires: c.ExpiresAt.Time,
	}, nil
}

// A reasonError says why a token was refused. Reasons are fixed texts, so that no part of a
// token can get into a log by way of an error.
type reasonError string

func (r reasonError) Error() string { return string(r) }

const (
	errTooLong       reasonError = "the token is longer than 8 KiB: name fewer columns, or a shorter where"
	errMalformed     reasonError = "the token is not a signed JWT"
	errAlgorithm     reasonError = "the token's signature algorithm is neither EdDSA nor ES256"
	errOtherType     reasonError = "the token is not one of the gatekeeper's"
	errUnknownKey    reasonError = "the gatekeeper has no such key, or has it no more"
	errKeyNotForThis reasonError = "the key is not meant for the token's signature algorithm"
	errBadSignature  reasonError = "the signature does not match"
	errExpired       reasonError = "the token, or what it is asked for with, is expired"
	errOtherClaims   reasonError = "the token is of another issuer, or for another audience, or never ends"
	errIncomplete    reasonError = "the token names no subject or no shape"
)

func refuse(err error) error { return authz.E(authz.Unauthenticated, "verify a shape token", err) }

// reasonOf turns the parser's error into a reason.
func reasonOf(token *jwt.Token, err error) error {
	var why reasonError
	switch {
	case errors.As(err, &why):
		return why
	case token != nil && token.Method != nil && !isOurs(token.Method):
		return errAlgorithm
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errBadSignature
	case errors.Is(err, jwt.ErrTokenExpired):
		return errExpired
	case errors.Is(err, jwt.ErrTokenInvalidClaims):
		return errOtherClaims
	}
	return errMalformed
}

func isOurs(m jwt.SigningMethod) bool {
	return m == jwt.SigningMethodEdDSA || m == jwt.SigningMethodES256
}
