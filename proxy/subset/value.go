package subset

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ValidValue reports whether both Postgres and Electric read value as a value of
// the type. Electric is the stricter of the two for most types, and refuses a
// whole request for one value (recording 07): it wants uuids with their dashes,
// dates and times in ISO 8601, timestamptz with an offset, booleans spelled
// (a prefix of) true or false in lower case.
//
// It is false for every value of a type that is not known here.
func ValidValue(pgType, value string) bool {
	switch pgType {
	case "text", "varchar", "bpchar", "name":
		return validText(value)
	case "uuid":
		return validUUID(value)
	case "int2":
		return validInteger(value, 16)
	case "int4":
		return validInteger(value, 32)
	case "int8":
		return validInteger(value, 64)
	case "float4":
		return validFloat(value, 32)
	case "float8":
		return validFloat(value, 64)
	case "numeric":
		// Electric reads a numeric as a float8, too.
		return validFloat(value, 64)
	case "bool":
		_, ok := parseBool(value)
		return ok
	case "date":
		return validDate(value)
	case "time":
		rest, ok := cutTime(value)
		return ok && rest == ""
	case "timestamp":
		offset, ok := cutTimestamp(value)
		return ok && (offset == "" || validOffset(offset))
	case "timestamptz":
		offset, ok := cutTimestamp(value)
		return ok && validOffset(offset)
	}
	return false
}

// CanonicalValue returns value as Postgres, and so Electric, prints it in a row:
// a uuid in lower case, an integer without a plus or leading zeros. It is false
// for values that are not valid, and for types some of whose values have several
// spellings that only Postgres can compare: only uuid, int2, int4, int8, text
// and varchar columns can hold object ids.
func CanonicalValue(pgType, value string) (string, bool) {
	if pgType == "uuid" && isPrintedUUID(value) {
		return value, true
	}
	if !ValidValue(pgType, value) {
		return "", false
	}
	switch pgType {
	case "text", "varchar":
		return value, true
	case "uuid":
		return strings.ToLower(value), true
	case "int2", "int4", "int8":
		return canonicalInteger(value), true
	}
	return "", false
}

func validText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// validUUID wants 8-4-4-4-12, the one spelling that Electric reads. Postgres reads
// braces and other groupings, too.
func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}

// isPrintedUUID reports whether s is a UUID as Postgres prints it. Thousands of ids are
// looked at before a first read, and are most often that.
func isPrintedUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	hyphens := 0
	for i := range len(s) {
		switch uuidByte[s[i]] {
		case 0:
			return false
		case 2:
			hyphens++
		}
	}
	return hyphens == 4
}

// uuidByte is 1 for the digits of a UUID as Postgres prints it, and 2 for its hyphens.
var uuidByte = func() (table [256]byte) {
	for _, c := range []byte("0123456789abcdef") {
		table[c] = 1
	}
	table['-'] = 2
	return table
}()

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func unsigned(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

// validInteger wants an optional sign and digits, as Electric does; Postgres also
// reads blanks around them and, from 16 on, underscores and hexadecimal.
func validInteger(s string, bits int) bool {
	if cutDigits(unsigned(s)) != "" {
		return false
	}
	_, err := strconv.ParseInt(s, 10, bits)
	return err == nil
}

// cutDigits returns what follows the digits at the start of s.
func cutDigits(s string) string {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return s[i:]
}

func canonicalInteger(s string) string {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return s
	}
	return strconv.FormatInt(n, 10)
}

// validFloat wants digits on both sides of a point, as Electric does, and a value
// that neither overflows nor underflows to zero: Postgres refuses both.
func validFloat(s string, bits int) bool {
	mantissa, ok := decimalNotation(unsigned(s))
	if !ok {
		return false
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil || math.IsInf(f, 0) {
		return false
	}
	return f != 0 || strings.Trim(mantissa, "0.") == ""
}

// decimalNotation reports whether s is 12, 12.5, 12e3 or 12.5e-3, and returns the
// part before the exponent.
func decimalNotation(s string) (mantissa string, ok bool) {
	rest := cutDigits(s)
	if len(rest) == len(s) {
		return "", false
	}
	if after, found := strings.CutPrefix(rest, "."); found {
		rest = cutDigits(after)
		if len(rest) == len(after) {
			return "", false
		}
	}
	mantissa = s[:len(s)-len(rest)]
	if rest == "" {
		return mantissa, true
	}
	if rest[0] != 'e' && rest[0] != 'E' {
		return "", false
	}
	exponent := unsigned(rest[1:])
	return mantissa, exponent != "" && cutDigits(exponent) == ""
}

func parseBool(s string) (value, ok bool) {
	switch s {
	case "t", "tr", "tru", "true":
		return true, true
	case "f", "fa", "fal", "fals", "false":
		return false, true
	}
	return false, false
}

func validDate(s string) bool {
	if len(s) != len(time.DateOnly) {
		return false
	}
	day, err := time.Parse(time.DateOnly, s)
	return err == nil && day.Year() > 0 // there is no year 0
}

// cutTime returns what follows a time of day, with or without a fraction.
func cutTime(s string) (rest string, ok bool) {
	const format = "15:04:05"
	if len(s) < len(format) {
		return "", false
	}
	if _, err := time.Parse(format, s[:len(format)]); err != nil || !isDigit(s[1]) {
		return "", false
	}
	rest = s[len(format):]
	if after, found := strings.CutPrefix(rest, "."); found {
		rest = cutDigits(after)
		if n := len(after) - len(rest); n < 1 || n > 9 {
			return "", false
		}
	}
	return rest, true
}

// cutTimestamp returns what follows a date and a time: an offset, or nothing.
func cutTimestamp(s string) (offset string, ok bool) {
	n := len(time.DateOnly)
	if len(s) <= n || s[n] != 'T' && s[n] != ' ' || !validDate(s[:n]) {
		return "", false
	}
	return cutTime(s[n+1:])
}

// validOffset wants Z, +hh, +hhmm or +hh:mm. Electric refuses -00:00, which ISO
// 8601 has no use for.
func validOffset(s string) bool {
	if s == "Z" {
		return true
	}
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return false
	}
	digits := s[1:]
	if len(digits) == 5 && digits[2] == ':' {
		digits = digits[:2] + digits[3:]
	}
	if len(digits) == 2 {
		digits += "00"
	}
	if len(digits) != 4 || cutDigits(digits) != "" {
		return false
	}
	if s[0] == '-' && digits == "0000" {
		return false
	}
	return digits[:2] <= "14" && digits[2:] < "60"
}
