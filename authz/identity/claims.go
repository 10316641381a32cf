package identity

import (
	"bytes"
	"encoding/json"
	"math"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// claims are a token's claims as the parser needs them. Numbers are kept as
// text until the subject has been read: as a float64, two long numeric ids could
// become one.
//
// It is stricter than jwt.MapClaims, which reads a date out of any number that
// fits a float64, and takes an audience of the wrong type for none.
type claims struct{ all map[string]any }

var _ jwt.Claims = (*claims)(nil)

// UnmarshalJSON implements json.Unmarshaler.
func (c *claims) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(&c.all)
}

// GetExpirationTime implements jwt.Claims.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.date("exp") }

// GetNotBefore implements jwt.Claims.
func (c *claims) GetNotBefore() (*jwt.NumericDate, error) { return c.date("nbf") }

// GetIssuedAt implements jwt.Claims.
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error) { return c.date("iat") }

// maxDate is the end of the year 9999, in seconds since 1970: the last that
// RFC 3339 can write, and far from where time arithmetic overflows.
const maxDate = 253402300799

func (c *claims) date(name string) (*jwt.NumericDate, error) {
	value, ok := c.all[name]
	if !ok {
		return nil, nil
	}
	number, ok := value.(json.Number)
	if !ok {
		return nil, errBadDate
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds > maxDate {
		return nil, errBadDate
	}
	whole, fraction := math.Modf(seconds)
	return &jwt.NumericDate{Time: time.Unix(int64(whole), int64(fraction*1e9))}, nil
}

// GetIssuer implements jwt.Claims.
func (c *claims) GetIssuer() (string, error) {
	value, ok := c.all["iss"]
	if !ok {
		return "", nil
	}
	issuer, ok := value.(string)
	if !ok {
		return "", errBadIssuer
	}
	return issuer, nil
}

// GetAudience implements jwt.Claims.
func (c *claims) GetAudience() (jwt.ClaimStrings, error) {
	value, ok := c.all["aud"]
	if !ok {
		return nil, nil
	}
	switch value := value.(type) {
	case string:
		return jwt.ClaimStrings{value}, nil
	case []any:
		audience := make(jwt.ClaimStrings, len(value))
		for i, one := range value {
			if audience[i], ok = one.(string); !ok {
				return nil, errBadAudience
			}
		}
		return audience, nil
	default:
		return nil, errBadAudience
	}
}

// GetSubject implements jwt.Claims. The parser is never asked to check it; the
// subject is read by subjectRule.
func (c *claims) GetSubject() (string, error) { return "", nil }

// withFloats turns every number into a float64, the form that caveat context
// has, and returns the claims. It comes last: nothing reads a number after it.
func (c *claims) withFloats() (map[string]any, error) {
	converted, err := numbersToFloats(c.all)
	if err != nil {
		return nil, err
	}
	return converted.(map[string]any), nil
}

func numbersToFloats(value any) (any, error) {
	var err error
	switch value := value.(type) {
	case json.Number:
		f, err := value.Float64()
		if err != nil {
			return nil, errNumberOutOfRange
		}
		return f, nil
	case map[string]any:
		for k, v := range value {
			if value[k], err = numbersToFloats(v); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, v := range value {
			if value[i], err = numbersToFloats(v); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}
