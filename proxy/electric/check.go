package electric

import "errors"

var (
	errShort   = errors.New("electric: the text ends within a value")
	errNotJSON = protocolErrorf("a body is not valid JSON")
)

// deepest bounds how deep values may be nested. Those of Electric are four deep.
const deepest = 256

// checkValue returns the index after the JSON value that begins at i. Errors are
// errShort if b ends within the value, and a *ProtocolError if it is not JSON. The
// content of strings is not checked.
func checkValue(b []byte, i, depth int) (int, error) {
	if i >= len(b) {
		return i, errShort
	}
	switch c := b[i]; {
	case c == '"':
		end, ok := stringEnd(b, i)
		if !ok {
			return i, errShort
		}
		return end, nil
	case depth == deepest:
		return i, protocolErrorf("a body is nested too deeply")
	case c == '{':
		return checkObject(b, i, depth, nil)
	case c == '[':
		return checkArray(b, i, depth)
	default:
		return checkLiteral(b, i)
	}
}

// checkObject returns the index after the object that begins at i, and calls member, if
// it is not nil, for each member.
func checkObject(b []byte, i, depth int, member func(name, value []byte)) (int, error) {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		name, value, err := checkName(b, i)
		if err != nil {
			return i, err
		}
		end, err := checkValue(b, value, depth+1)
		if err != nil {
			return i, err
		}
		if member != nil {
			member(name, b[value:end])
		}
		var more bool
		if i, more, err = checkNext(b, end, '}'); err != nil || !more {
			return i, err
		}
	}
}

// checkArray returns the index after the array that begins at i.
func checkArray(b []byte, i, depth int) (int, error) {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := checkValue(b, i, depth+1)
		if err != nil {
			return i, err
		}
		var more bool
		if i, more, err = checkNext(b, end, ']'); err != nil || !more {
			return i, err
		}
	}
}

// checkNext returns the index of the next element or member. At the end of the array or
// object, more is false and the index is the one after the closing byte.
func checkNext(b []byte, i int, closing byte) (next int, more bool, err error) {
	i = skipSpace(b, i)
	switch {
	case i >= len(b):
		return i, false, errShort
	case b[i] == closing:
		return i + 1, false, nil
	case b[i] != ',':
		return i, false, errNotJSON
	}
	return skipSpace(b, i+1), true, nil
}

// checkName returns a member's name, which begins at i, and the index of its value.
func checkName(b []byte, i int) (name []byte, value int, err error) {
	if i >= len(b) {
		return nil, i, errShort
	}
	if b[i] != '"' {
		return nil, i, errNotJSON
	}
	end, ok := stringEnd(b, i)
	if !ok {
		return nil, i, errShort
	}
	name = b[i:end]
	if i = skipSpace(b, end); i >= len(b) {
		return nil, i, errShort
	}
	if b[i] != ':' {
		return nil, i, errNotJSON
	}
	return name, skipSpace(b, i+1), nil
}

// checkLiteral returns the index after the number, true, false or null that begins at i.
// The byte after the literal must be in b, since it ends the literal.
func checkLiteral(b []byte, i int) (int, error) {
	end := i
	for end < len(b) && !endsLiteral(b[end]) {
		end++
	}
	switch text := b[i:end]; {
	case end == len(b) && len(text) < longestLiteral:
		return i, errShort
	case string(text) == "true", string(text) == "false", string(text) == "null", isNumber(text):
		return end, nil
	default:
		return i, errNotJSON
	}
}

// longestLiteral is more than the length of any literal that Electric writes: its
// numbers have 64 bits.
const longestLiteral = 64

// isNumber reports whether text is a JSON number (RFC 8259, section 6).
func isNumber(text []byte) bool {
	rest := text
	if len(rest) > 0 && rest[0] == '-' {
		rest = rest[1:]
	}
	whole := digits(rest)
	if whole == 0 || whole > 1 && rest[0] == '0' {
		return false
	}
	if rest = rest[whole:]; len(rest) > 0 && rest[0] == '.' {
		n := digits(rest[1:])
		if n == 0 {
			return false
		}
		rest = rest[1+n:]
	}
	if len(rest) > 0 && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if len(rest) > 0 && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		n := digits(rest)
		if n == 0 {
			return false
		}
		rest = rest[n:]
	}
	return len(rest) == 0
}

// digits returns the number of digits that text begins with.
func digits(text []byte) (n int) {
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}
