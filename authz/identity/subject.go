package identity

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/shapegate/shapegate/authz"
)

// subjectRule says which claim names the subject, of which type it is, and how the claim's
// value becomes its id.
type subjectRule struct {
	typ, claim string
	ids        SubjectIDs
}

func (c Config) subjectRule() subjectRule {
	return subjectRule{typ: c.SubjectType, claim: c.SubjectClaim, ids: c.SubjectIDs}
}

// read returns the subject that the claims name, or a reason.
func (r subjectRule) read(claims map[string]any) (authz.ObjectRef, error) {
	value, ok := lookupClaim(claims, r.claim)
	if !ok {
		return authz.ObjectRef{}, errNoSubject
	}
	id, ok := subjectID(value)
	if !ok {
		return authz.ObjectRef{}, errBadSubject
	}
	ref, err := r.subject(id)
	if err != nil {
		return authz.ObjectRef{}, errSubjectNotAllowed
	}
	return ref, nil
}

// subject returns the subject whose claim has a value. No two values of one rule are one
// subject. The empty value is nobody's, whatever stands before it.
func (r subjectRule) subject(value string) (authz.ObjectRef, error) {
	if value == "" {
		return authz.ObjectRef{}, errSubjectNotAllowed
	}
	if r.ids.Base64URL {
		value = base64.RawURLEncoding.EncodeToString([]byte(value))
	}
	return authz.NewObjectRef(r.typ, r.ids.Prefix+value)
}

// lookupClaim finds a claim by its name, or by a dotted path into nested
// objects. Names may contain dots themselves ("https://example.com/claims.uid"),
// so at every level the longest name that exists is the one that counts.
func lookupClaim(claims map[string]any, path string) (any, bool) {
	if value, ok := claims[path]; ok {
		return value, true
	}
	for dot := strings.LastIndexByte(path, '.'); dot > 0; dot = strings.LastIndexByte(path[:dot], '.') {
		if value, ok := claims[path[:dot]]; ok {
			nested, _ := value.(map[string]any)
			return lookupClaim(nested, path[dot+1:])
		}
	}
	return nil, false
}

var wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// exactFloats is where float64 stops telling every two whole numbers apart.
const exactFloats = 1 << 53

// subjectID returns the claim's value as text. A whole number keeps its digits,
// however many; one that was written as a fraction or with an exponent (42.0,
// 1e3) counts as long as its value is exact.
func subjectID(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case json.Number:
		if wholeNumber.MatchString(value.String()) {
			return value.String(), true
		}
		f, err := value.Float64()
		if err != nil || f != math.Trunc(f) || math.Abs(f) >= exactFloats {
			return "", false
		}
		return strconv.FormatInt(int64(f), 10), true
	default:
		return "", false
	}
}
