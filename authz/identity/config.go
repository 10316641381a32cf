package identity

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// Defaults for what a Config leaves out.
const (
	DefaultSubjectClaim = "sub"
	DefaultSubjectType  = "user"
	DefaultLeeway       = 30 * time.Second
	DefaultJWKSRefresh  = 5 * time.Minute
)

// MinSecretSize is the least size of an HS256 secret, in bytes: that of the
// hash's output (RFC 7518, section 3.2).
const MinSecretSize = 32

// Config says which tokens to believe. Exactly one of Secret and JWKSURL is
// required; everything else has a default.
type Config struct {
	// Secret verifies HS256 tokens, and no others. At least MinSecretSize bytes.
	Secret []byte

	// JWKSURL is where the issuer publishes its keys: an absolute http or https
	// URL. With it only asymmetric signatures are accepted.
	JWKSURL string

	// JWKSRefresh is the time between two fetches of the key set, DefaultJWKSRefresh
	// if zero. It is also how long a key that the issuer withdrew is still
	// believed while the key server answers. While it does not, the last keys stay.
	JWKSRefresh time.Duration

	// Issuer is what "iss" must be, and Audience what "aud" must be or contain.
	// Empty: not checked. An issuer that serves several applications needs an
	// Audience here, or a token made for one of them opens all.
	Issuer, Audience string

	// SubjectClaim names the claim that holds the subject's id,
	// DefaultSubjectClaim if empty. It is first taken literally
	// ("https://example.com/uid"), then as a path into nested objects
	// ("app_metadata.uid").
	SubjectClaim string

	// SubjectType is the SpiceDB definition of every subject, DefaultSubjectType
	// if empty.
	SubjectType string

	// Leeway is how far the issuer's clock may be ahead of ours when "nbf" and
	// "iat" are checked, DefaultLeeway if zero, none if negative. It does not
	// lengthen the life of a token: "exp" is exact.
	Leeway time.Duration

	// HTTPClient fetches the key set; http.DefaultClient if nil. A fetch takes
	// ten seconds at most, whatever the client's own timeout.
	HTTPClient *http.Client

	// Logger gets a line when the key set cannot be fetched; nil: none is written.
	Logger *slog.Logger

	// Now is the clock that tokens are held against; time.Now if nil.
	Now func() time.Time
}

// withDefaults returns the configuration with nothing left out, or an Invalid
// error. No error repeats the secret or the URL: either may hold credentials.
func (c Config) withDefaults() (Config, error) {
	if err := c.validate(); err != nil {
		return Config{}, authz.E(authz.Invalid, "configure identity", err)
	}
	c.Secret = bytes.Clone(c.Secret)
	if c.JWKSRefresh == 0 {
		c.JWKSRefresh = DefaultJWKSRefresh
	}
	if c.SubjectClaim == "" {
		c.SubjectClaim = DefaultSubjectClaim
	}
	if c.SubjectType == "" {
		c.SubjectType = DefaultSubjectType
	}
	if c.Leeway == 0 {
		c.Leeway = DefaultLeeway
	}
	c.Leeway = max(c.Leeway, 0)
	if c.HTTPClient == nil {
		c.HTTPClient = http.DefaultClient
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func (c Config) validate() error {
	switch {
	case len(c.Secret) == 0 && c.JWKSURL == "":
		return errors.New("neither a JWT secret nor a JWKS URL is given; exactly one is needed")
	case len(c.Secret) > 0 && c.JWKSURL != "":
		return errors.New("both a JWT secret and a JWKS URL are given; exactly one is needed")
	case c.JWKSURL != "" && !validKeySetURL(c.JWKSURL):
		return errors.New("the JWKS URL is not an absolute http or https URL")
	case len(c.Secret) > 0 && len(c.Secret) < MinSecretSize:
		return fmt.Errorf("the JWT secret has %d bytes; HS256 needs at least %d (RFC 7518, section 3.2)", len(c.Secret), MinSecretSize)
	case c.JWKSRefresh < 0:
		return errors.New("the time between two fetches of the key set is negative")
	}
	if c.SubjectType != "" {
		const anyID = "id"
		if _, err := authz.NewObjectRef(c.SubjectType, anyID); err != nil {
			return fmt.Errorf("subject type: %w", err)
		}
	}
	return nil
}

func validKeySetURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}
