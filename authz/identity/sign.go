package identity

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
)

// Sign returns a token that a Verifier of the same configuration accepts, for work without
// an issuer. The subject is the value of its claim, from which SubjectIDs makes the id. The
// further claims go into the token as they are; they must not name what Sign sets itself:
// the subject's claim, iss, aud, exp and iat. Errors are Invalid.
func (c Config) Sign(subject string, further map[string]any, life time.Duration) (string, error) {
	const op = "sign a token"
	c, err := c.withDefaults()
	if err != nil {
		return "", err
	}
	if err := c.checkSigning(subject, further, life); err != nil {
		return "", authz.E(authz.Invalid, op, err)
	}
	now := c.Now()
	all := jwt.MapClaims(maps.Clone(further))
	if all == nil {
		all = jwt.MapClaims{}
	}
	all["iat"], all["exp"] = now.Unix(), now.Add(life).Unix()
	if c.Issuer != "" {
		all["iss"] = c.Issuer
	}
	if c.Audience != "" {
		all["aud"] = c.Audience
	}
	if err := setClaim(all, c.SubjectClaim, subject); err != nil {
		return "", authz.E(authz.Invalid, op, err)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, all).SignedString(c.Secret)
	if err != nil {
		return "", authz.E(authz.Invalid, op, err)
	}
	if len(token) > MaxTokenSize {
		return "", authz.E(authz.Invalid, op, fmt.Errorf("the token has %d bytes, and %d are accepted: give fewer or shorter claims", len(token), MaxTokenSize))
	}
	return token, nil
}

func (c Config) checkSigning(subject string, further map[string]any, life time.Duration) error {
	if len(c.Secret) == 0 {
		return errors.New("there is no secret to sign with: the issuer signs the tokens of a key server")
	}
	if life < time.Second {
		return errors.New("the life of a token is at least a second")
	}
	if _, err := c.subjectRule().subject(subject); err != nil {
		return err
	}
	for _, name := range []string{c.SubjectClaim, "iss", "aud", "exp", "iat"} {
		if _, ok := further[name]; ok {
			return fmt.Errorf("the claim %q cannot be given: it is set from the subject, the life and the configuration", name)
		}
	}
	return nil
}

// setClaim sets a claim by its name. One with dots is a path into nested objects, as
// issuers write it, unless it is a URL: that is a name as a whole. See lookupClaim, which
// reads both.
func setClaim(claims map[string]any, path string, value any) error {
	name, rest, nested := strings.Cut(path, ".")
	if !nested || strings.Contains(path, "/") {
		claims[path] = value
		return nil
	}
	object, ok := claims[name].(map[string]any)
	if _, given := claims[name]; given && !ok {
		return fmt.Errorf("the claim %q cannot be given: the subject is a member of it", name)
	}
	object = maps.Clone(object)
	if object == nil {
		object = make(map[string]any)
	}
	claims[name] = object
	return setClaim(object, rest, value)
}
