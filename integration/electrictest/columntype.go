package electrictest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// columnType is a type as a column declares it.
type columnType struct {
	typ
	mods []int // varchar(n), bpchar(n), numeric(p, s), timestamptz(p)
}

// canonical checks that text is a value of the type and returns it as Postgres
// would print it. Types that the package does not know (inet, interval, …) keep
// the text they were given.
func (c columnType) canonical(text string) (string, error) {
	if !validText(text) {
		return "", errors.New("invalid byte sequence for encoding \"UTF8\"")
	}
	if !c.array {
		out, err := c.canonicalElement(text)
		if err != nil {
			return "", fmt.Errorf("invalid input syntax for type %s: %q", c.typ, text)
		}
		return out, nil
	}
	items, nested, err := parseArray(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("invalid input syntax for type %s: %q", c.typ, text)
	case nested:
		return text, nil
	}
	for i, item := range items {
		if item == nil {
			continue
		}
		out, err := c.canonicalElement(*item)
		if err != nil {
			return "", fmt.Errorf("invalid input syntax for type %s: %q", c.typ, text)
		}
		if c.name == "bool" { // t and f, in arrays
			out = out[:1]
		}
		items[i] = &out
	}
	return formatArray(items), nil
}

func (c columnType) canonicalElement(text string) (string, error) {
	switch kinds[c.name] {
	case kindBool:
		b, err := parseBool(text)
		return strconv.FormatBool(b), err
	case kindInt:
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if lo, hi := intRange(c.name); err != nil || n < lo || n > hi {
			return "", errors.New("out of range")
		}
		return strconv.FormatInt(n, 10), nil
	case kindFloat:
		return c.canonicalNumber(strings.TrimSpace(text))
	case kindUUID:
		return canonicalUUID(text)
	case kindDate, kindTime, kindTimestamp, kindTimestamptz:
		micros, err := parseTime(kinds[c.name], text)
		return formatTime(kinds[c.name], micros), err
	case kindText:
		return c.canonicalString(text)
	}
	switch c.name {
	case "jsonb":
		return canonicalJSONB(text)
	case "json":
		if !json.Valid([]byte(text)) {
			return "", errors.New("invalid JSON")
		}
	}
	return text, nil
}

func (c columnType) canonicalString(text string) (string, error) {
	if len(c.mods) == 0 || c.name == "text" {
		return text, nil
	}
	n := len([]rune(text))
	switch {
	case n > c.mods[0] && strings.TrimRight(text, " ") != text:
		text = string([]rune(text)[:c.mods[0]])
	case n > c.mods[0]:
		return "", fmt.Errorf("value too long for type character varying(%d)", c.mods[0])
	case c.name == "bpchar":
		text += strings.Repeat(" ", c.mods[0]-n)
	}
	return text, nil
}

func (c columnType) canonicalNumber(text string) (string, error) {
	if c.name != "numeric" {
		bits := 64
		if c.name == "float4" {
			bits = 32
		}
		f, err := strconv.ParseFloat(text, bits)
		return formatFloat(f, c.name), err
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || strings.ContainsRune(text, '/') {
		return "", errors.New("not a number")
	}
	scale := 0
	if len(c.mods) > 1 {
		scale = c.mods[1]
	} else if len(c.mods) == 0 {
		// A numeric keeps the digits that it was given.
		mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
		if _, fraction, found := strings.Cut(mantissa, "."); found {
			scale = len(fraction)
		}
		exp, _ := strconv.Atoi(exponent)
		scale = max(scale-exp, 0)
	}
	return r.FloatString(scale), nil
}

// parseBool takes what Postgres takes.
func parseBool(text string) (bool, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	if s == "" {
		return false, errors.New("not a boolean")
	}
	for _, word := range []string{"true", "yes", "on", "1"} {
		if strings.HasPrefix(word, s) && (word != "on" || s == "on") {
			return true, nil
		}
	}
	for _, word := range []string{"false", "no", "off", "0"} {
		if strings.HasPrefix(word, s) && (word != "off" || len(s) > 1) {
			return false, nil
		}
	}
	return false, errors.New("not a boolean")
}

// canonicalUUID takes what Postgres takes: braces, capitals, and hyphens after
// any group of four digits.
func canonicalUUID(text string) (string, error) {
	if isUUID(text) && !strings.ContainsAny(text, "ABCDEF") {
		return text, nil
	}
	s := strings.TrimSpace(text)
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		s = s[1 : len(s)-1]
	}
	s = strings.ToLower(strings.ReplaceAll(s, "-", ""))
	if len(s) != 32 {
		return "", errors.New("not a UUID")
	}
	out := s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
	if !isUUID(out) {
		return "", errors.New("not a UUID")
	}
	return out, nil
}

// isUUID reports whether s is of the one form that Electric accepts.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}
