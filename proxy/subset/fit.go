package subset

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// fit is what a type makes of a value that was sent as text.
type fit struct {
	kind fitKind

	// text is the value as both Postgres and Electric read it. Only of holds.
	text string

	// side is 1 where every value of the type is less than this one, -1 where every
	// value is greater, 0 where neither is known. Only of outside.
	side int

	// floor is the greatest value of an integer type that is less than this one, if
	// it lies between two of them. Only of outside.
	floor string
}

type fitKind uint8

const (
	holds   fitKind = iota // the type has the value
	outside                // no value of the type equals it
	unclear                // Postgres may read it, and Electric does not
)

// fitOf reports what a type makes of a value. A client compares ids that are not
// in the database yet (temp-123) with a column of UUIDs, and numbers that are too
// large with a column of integers: such values are outside, and equal no row.
func fitOf(typ, text string) fit {
	switch familyOf(typ) {
	case textual, enum:
		// Which texts are values of an enum, only Postgres knows.
		if validText(text) {
			return fit{text: text}
		}
	case uuid:
		return uuidFit(text)
	case boolean:
		return boolFit(text)
	case integer:
		return integerFit(text, bitsOf(typ))
	case float, decimal:
		return floatFit(typ, text)
	default:
		if ValidValue(typ, text) {
			return fit{text: text}
		}
	}
	return fit{kind: unclear}
}

// uuidFit takes what Postgres takes: braces around it, no hyphens, or one behind
// any group of four digits.
func uuidFit(text string) fit {
	if validUUID(text) {
		return fit{text: text}
	}
	s := text
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		s = s[1 : len(s)-1]
	}
	var digits []byte
	for i := range len(s) {
		switch {
		case isHex(s[i]) && len(digits) < 32:
			digits = append(digits, s[i])
		case s[i] != '-', len(digits)%4 != 0, len(digits) == 0, s[i-1] == '-', i == len(s)-1:
			return fit{kind: outside}
		}
	}
	if len(digits) != 32 {
		return fit{kind: outside}
	}
	d := string(digits)
	return fit{text: strings.Join([]string{d[:8], d[8:12], d[12:16], d[16:20], d[20:]}, "-")}
}

// boolFit takes what Postgres takes.
func boolFit(text string) fit {
	s := strings.ToLower(strings.Trim(text, arrayBlanks))
	switch s {
	case "t", "tr", "tru", "true", "y", "ye", "yes", "on", "1":
		return fit{text: boolText(text, "true")}
	case "f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0":
		return fit{text: boolText(text, "false")}
	}
	return fit{kind: outside}
}

// boolText keeps a spelling that Electric reads.
func boolText(sent, canonical string) string {
	if _, ok := parseBool(sent); ok {
		return sent
	}
	return canonical
}

func bitsOf(typ string) int {
	switch typ {
	case "int2":
		return 16
	case "int4", "float4":
		return 32
	}
	return 64
}

func integerFit(text string, bits int) fit {
	s := strings.Trim(text, arrayBlanks)
	switch {
	case validInteger(s, bits):
		return fit{text: s}
	case s == "Infinity", s == "-Infinity": // what a JavaScript number prints
		return fit{kind: outside, side: signOf(s)}
	case otherNotation(s):
		return fit{kind: unclear}
	}
	s = withZeros(s)
	mantissa, ok := decimalNotation(unsigned(s))
	if !ok {
		return fit{kind: outside}
	}
	return numberFit(s, mantissa, bits)
}

// maxExactDigits bounds the length and the exponent of a number that is computed
// with exactly.
const maxExactDigits = 100

// numberFit is integerFit of a number in decimal notation.
func numberFit(s, mantissa string, bits int) fit {
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case math.Abs(f) >= 1<<64: // infinite, if it is out of range
		return fit{kind: outside, side: signOf(s)}
	case strings.Trim(mantissa, "0.") == "":
		return fit{text: "0"}
	case err != nil || len(s) > maxExactDigits || f != 0 && math.Abs(f) < 1e-50 || f == 0:
		// Too long, or too near to 0, to be a number that is meant.
		return fit{kind: unclear}
	}
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return fit{kind: unclear}
	}
	floor := new(big.Int).Div(n.Num(), n.Denom()) // rounds down: the denominator is above 0
	least := new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), uint(bits-1)))
	switch {
	case floor.Cmp(least) < 0:
		return fit{kind: outside, side: -1}
	case floor.Cmp(new(big.Int).Neg(least)) >= 0:
		return fit{kind: outside, side: 1}
	case n.IsInt():
		return fit{text: floor.String()}
	}
	return fit{kind: outside, floor: floor.String()}
}

func signOf(number string) int {
	if strings.HasPrefix(number, "-") {
		return -1
	}
	return 1
}

// otherNotation reports whether newer versions of Postgres may read s as a number:
// 0x1F, 0o17, 0b1, 1_000.
func otherNotation(s string) bool {
	s = unsigned(s)
	return s != "" && isDigit(s[0]) && strings.ContainsAny(s, "xXoObB_") &&
		strings.Trim(s, "0123456789abcdefABCDEFxXoO_") == ""
}

func floatFit(typ, text string) fit {
	bits := bitsOf(typ)
	s := strings.Trim(text, arrayBlanks)
	if otherNotation(s) {
		return fit{kind: unclear}
	}
	switch strings.ToLower(unsigned(s)) {
	case "nan", "inf", "infinity":
		return fit{kind: unclear}
	}
	s = withZeros(s)
	if validFloat(s, bits) {
		return fit{text: s}
	}
	if _, ok := decimalNotation(unsigned(s)); !ok {
		return fit{kind: outside}
	}
	if f, _ := strconv.ParseFloat(s, bits); math.IsInf(f, 0) && typ != "numeric" {
		return fit{kind: outside, side: signOf(s)}
	}
	return fit{kind: unclear}
}
