package gateway

import (
	"encoding/json"
	"strings"

	"github.com/shapegate/shapegate/authz"
)

// ParseReader reads who reads, as it is written for a command or in a query: the subject as
// user:bob, claims and params as name=value each. Errors are Invalid.
func ParseReader(subject string, claims, params []string, ip string) (Reader, error) {
	ref, err := authz.ParseObjectRef(subject)
	if err != nil {
		return Reader{}, invalid("subject: say who, as in user:bob")
	}
	r := Reader{Subject: authz.Subject{ObjectRef: ref}, IP: ip}
	if r.Subject.Claims, err = ParseClaims(claims); err != nil {
		return Reader{}, err
	}
	r.Params, err = parsePairs("param", params)
	return r, err
}

// ParseClaims reads claims that are written as name=value. A value that is JSON is what JSON
// says, with numbers as float64; any other is a string. Errors are Invalid.
func ParseClaims(pairs []string) (map[string]any, error) {
	texts, err := parsePairs("claim", pairs)
	if err != nil {
		return nil, err
	}
	claims := make(map[string]any, len(texts))
	for name, text := range texts {
		var value any
		if json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		claims[name] = value
	}
	return claims, nil
}

func parsePairs(what string, pairs []string) (map[string]string, error) {
	values := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := values[name]; !ok || name == "" || twice {
			return nil, invalid("%s: give name=value, each name once", what)
		}
		values[name] = value
	}
	return values, nil
}
