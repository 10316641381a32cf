package identity

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
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

const opConfigure = "configure identity"

// algorithmOfSecrets is the one that a shared secret verifies.
const algorithmOfSecrets = "HS256"

// MinSecretSize is the least size of an HS256 secret, in bytes: that of the
// hash's output (RFC 7518, section 3.2).
const MinSecretSize = 32

// Config says which tokens of one issuer to believe. Exactly one of Secret, JWKSURL and
// Discover is required; everything else has a default.
type Config struct {
	// Secret verifies HS256 tokens, and no others. At least MinSecretSize bytes.
	Secret []byte

	// JWKSURL is where the issuer publishes its keys: an absolute http or https
	// URL. With it only asymmetric signatures are accepted.
	JWKSURL string

	// Discover finds the issuer's keys by its discovery document (OpenID Connect
	// Discovery 1.0), which is at Issuer + "/.well-known/openid-configuration" and must
	// name the same issuer. Issuer is then an absolute http or https URL. As with
	// JWKSURL, only asymmetric signatures are accepted.
	Discover bool

	// Algorithms are the signature algorithms that are accepted, as in RS256; nil: all
	// asymmetric ones that are known. With a Secret there is HS256 alone.
	Algorithms []string

	// JWKSRefresh is the time between two fetches of the key set, DefaultJWKSRefresh
	// if zero. It is also how long a key that the issuer withdrew is still
	// believed while the key server answers. While it does not, the last keys stay.
	JWKSRefresh time.Duration

	// Issuer is what "iss" must be, and Audience what "aud" must be or contain.
	// Empty: not checked. An issuer that serves several applications needs an
	// Audience here, or a token made for one of them opens all. Of several issuers
	// each needs an Issuer.
	Issuer, Audience string

	// SubjectClaim names the claim that holds the subject's id,
	// DefaultSubjectClaim if empty. It is first taken literally
	// ("https://example.com/uid"), then as a path into nested objects
	// ("app_metadata.uid").
	SubjectClaim string

	// SubjectType is the SpiceDB definition of every subject, DefaultSubjectType
	// if empty.
	SubjectType string

	// SubjectIDs says how the claim's value becomes the subject's id.
	SubjectIDs SubjectIDs

	// Leeway is how far the issuer's clock may be ahead of ours when "nbf" and
	// "iat" are checked, DefaultLeeway if zero, none if negative. It does not
	// lengthen the life of a token: "exp" is exact.
	Leeway time.Duration

	// HTTPClient fetches the key set and the discovery document; http.DefaultClient if
	// nil. A fetch takes ten seconds at most, whatever the client's own timeout.
	HTTPClient *http.Client

	// Logger gets a line when the key set cannot be fetched; nil: none is written.
	Logger *slog.Logger

	// Now is the clock that tokens are held against; time.Now if nil.
	Now func() time.Time
}

// SubjectIDs says how the value of the subject claim becomes an object id of SpiceDB. The
// zero value takes it as it stands.
type SubjectIDs struct {
	// Prefix stands before each id of the issuer's subjects, as in "staff/".
	Prefix string

	// Base64URL has the value written in base64url without padding (RFC 4648, section
	// 5): for values with characters that SpiceDB does not take. It is done to each
	// value, so that two values never become one id. A prefix is not encoded.
	Base64URL bool

	// Shared says that an id of this issuer and the same id of another issuer, which
	// says Shared too, are one subject. Without it, New refuses two issuers that could
	// give one id of one type.
	Shared bool
}

// withDefaults returns the configuration with nothing left out, or an Invalid
// error. No error repeats the secret or the URL: either may hold credentials.
func (c Config) withDefaults() (Config, error) {
	if err := c.validate(); err != nil {
		return Config{}, authz.E(authz.Invalid, opConfigure, err)
	}
	c.Secret = bytes.Clone(c.Secret)
	if c.JWKSRefresh == 0 {
		c.JWKSRefresh = DefaultJWKSRefresh
	}
	switch {
	case len(c.Secret) > 0:
		c.Algorithms = []string{algorithmOfSecrets}
	case len(c.Algorithms) == 0:
		c.Algorithms = asymmetricAlgorithms
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
	case c.JWKSRefresh < 0:
		return errors.New("the time between two fetches of the key set is negative")
	case c.SubjectIDs.Prefix != "" && !authz.ValidObjectID(c.SubjectIDs.Prefix):
		return errors.New("the prefix of subject ids has characters that SpiceDB does not allow in object ids: letters, digits and / _ | - = + only")
	}
	if c.SubjectType != "" {
		const anyID = "id"
		if _, err := authz.NewObjectRef(c.SubjectType, anyID); err != nil {
			return fmt.Errorf("subject type: %w", err)
		}
	}
	return errors.Join(c.validateKeys(), c.validateAlgorithms())
}

// validateKeys checks that there is one source of keys.
func (c Config) validateKeys() error {
	sources := 0
	for _, given := range []bool{len(c.Secret) > 0, c.JWKSURL != "", c.Discover} {
		if given {
			sources++
		}
	}
	switch {
	case sources == 0:
		return errors.New("neither a JWT secret nor a JWKS URL is given, nor are the keys to be discovered; exactly one is needed")
	case sources > 1:
		return errors.New("more than one of a JWT secret, a JWKS URL and discovery is given; exactly one is needed")
	case c.JWKSURL != "" && !isWebURL(c.JWKSURL):
		return errors.New("the JWKS URL is not an absolute http or https URL")
	case c.Discover && !isWebURL(c.Issuer):
		return errors.New("the issuer is not an absolute http or https URL, at which its keys could be discovered")
	case len(c.Secret) > 0 && len(c.Secret) < MinSecretSize:
		return fmt.Errorf("the JWT secret has %d bytes; HS256 needs at least %d (RFC 7518, section 3.2)", len(c.Secret), MinSecretSize)
	}
	return nil
}

func (c Config) validateAlgorithms() error {
	known := asymmetricAlgorithms
	if len(c.Secret) > 0 {
		known = []string{algorithmOfSecrets}
	}
	for _, name := range c.Algorithms {
		if !slices.Contains(known, name) {
			return fmt.Errorf("the algorithm %q is not one of %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// hasTLS reports whether s is an https URL, in small letters or capitals.
func hasTLS(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https"
}

// isWebURL reports whether s is an absolute http or https URL.
func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}
