package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// issuers are those whose tokens are believed. There is at least one.
type issuers []*issuer

// of returns the issuer that a token says it is of. Nothing of the token is verified yet:
// the issuer does that, and holds "iss" against its own name. Errors are reasons.
func (all issuers) of(token string) (*issuer, error) {
	if len(all) == 1 {
		return all[0], nil
	}
	name, err := unverifiedIssuer(token)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		if one.name == name {
			return one, nil
		}
	}
	return nil, errUnknownIssuer
}

// unverifiedIssuer reads "iss" of a token that may be forged.
func unverifiedIssuer(token string) (string, error) {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil {
		return "", errMalformed
	}
	var c claims
	if err := json.Unmarshal(text, &c); err != nil {
		return "", errMalformed
	}
	return c.GetIssuer()
}

// checkApart checks of several issuers that their tokens can be told apart, and their
// subjects too: whoever can name the subjects of one issuer must not be able to name those
// of another.
func checkApart(all []Config) error {
	for i, a := range all {
		if len(all) > 1 && a.Issuer == "" {
			return errors.New("there are several issuers, and one of them has no name; each needs the value of its tokens' iss")
		}
		for _, b := range all[:i] {
			switch {
			case a.Issuer == b.Issuer:
				return fmt.Errorf("the issuer %s is given twice", a.Issuer)
			case mayShareIDs(a, b) && !(a.SubjectIDs.Shared && b.SubjectIDs.Shared):
				return fmt.Errorf("the issuers %s and %s can both give the same %s: give one of them another subject type, "+
					"give each a prefix of its own, or say that both share their subjects", b.Issuer, a.Issuer, a.SubjectType)
			}
		}
	}
	return nil
}

// mayShareIDs reports whether two issuers could give one id of one type. With prefixes of
// which neither begins with the other they cannot.
func mayShareIDs(a, b Config) bool {
	p, q := a.SubjectIDs.Prefix, b.SubjectIDs.Prefix
	return a.SubjectType == b.SubjectType && (strings.HasPrefix(p, q) || strings.HasPrefix(q, p))
}
